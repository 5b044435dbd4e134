"""All parts together, as `make demo` and examples/compose.yml run them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.environment import (
    ROOT,
    clean_environment,
    docker_or_missing,
    free_port,
    missing,
    wait_until,
)
from tests.support.http import once
from tests.system.compose.stack import Stack, copy_files

pytestmark = pytest.mark.examples

PARTS = ("examples", "tools")
MADE_HERE = shutil.ignore_patterns(
    "node_modules", ".next", ".env", "*.sqlite", "__pycache__", "instance", ".venv"
)


def walk_through(chromium: Browser, front_end: str) -> None:
    """Register at the service, see the resource, keep a note, log out."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(front_end)
    page.get_by_role("link", name="Create account").first.click()
    page.get_by_label("Username").fill("newcomer")
    page.get_by_label("E-mail").fill("newcomer@example.com")
    page.get_by_label("Password", exact=True).fill("orange cat asleep")
    page.get_by_role("main").get_by_role("button", name="Create account").click()
    page.wait_for_url(f"{front_end}/")
    page.goto(f"{front_end}/resource")
    expect(page.get_by_role("main")).to_contain_text("akses sukses")
    page.goto(f"{front_end}/notes")
    page.get_by_role("textbox").fill("buy fish")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("main")).to_contain_text("buy fish")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{front_end}/**")
    page.goto(f"{front_end}/resource")
    expect(page.get_by_role("main")).not_to_contain_text("akses sukses")
    context.close()


def borrow(chromium: Browser, library: str) -> None:
    """Log in from the library with the account of before, and borrow a book."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{library}/?q=laskar+pelangi")
    page.get_by_role("link", name="Laskar Pelangi").first.click()
    page.get_by_role("link", name="Log in to borrow").click()
    page.get_by_label("Username or e-mail").fill("newcomer")
    page.get_by_label("Password", exact=True).fill("orange cat asleep")
    page.get_by_role("main").get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("button", name="Borrow").click()
    expect(page.get_by_role("main")).to_contain_text("You have this book until")
    context.close()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository's files that the parts need, as a stranger has them."""
    copy_files(tmp_path)
    for name in PARTS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=MADE_HERE)
    return tmp_path


def test_make_demo_runs_all_parts_and_ends_them(copy: Path, chromium: Browser) -> None:
    for tool in ("node", "npm", "php"):
        if shutil.which(tool) is None:
            missing(tool)
    ports = [str(free_port()) for _ in range(4)]
    names = ("PORT", "NEXTJS_PORT", "LARAVEL_PORT", "PERPUSTAKAAN_PORT")
    settings = dict(zip(names, ports, strict=True))
    log = copy / "demo.log"
    with log.open("w") as output:
        demo = subprocess.Popen(
            [sys.executable, "-m", "tools.demo"], cwd=copy, stdout=output, stderr=output,
            env=clean_environment() | settings | {"INSTANCE_PATH": str(copy / "instance")},
        )  # fmt: skip
    try:
        wait_until(lambda: demo.poll() is not None or "Ctrl-C" in log.read_text(), "all parts", 300)
        assert demo.poll() is None, log.read_text()
        walk_through(chromium, f"http://127.0.0.1:{ports[1]}")
        library = f"http://127.0.0.1:{ports[3]}"
        found = once(library, "GET", "/api/books?q=laskar+pelangi").json()["books"]
        assert [book["title"] for book in found] == ["Laskar Pelangi"]
        borrow(chromium, library)
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            once(f"http://127.0.0.1:{port}", "GET", "/")


@pytest.fixture
def stack(copy: Path) -> Iterator[Stack]:
    docker_or_missing()
    name = f"loguserapp-examples-{os.getpid()}"
    ports = {name: str(free_port()) for name in ("NEXTJS_PORT", "LARAVEL_PORT")}
    stack = Stack(
        copy, name, WEB_IMAGE=name, COMPOSE_FILE="docker-compose.yml:examples/compose.yml",
        **ports,
    )  # fmt: skip
    try:
        yield stack
    finally:
        stack.down()
        images = [name, f"{name}-nextjs", f"{name}-laravel"]
        subprocess.run(["docker", "rmi", "-f", *images], check=False, capture_output=True)


def test_the_stack_runs_all_parts(stack: Stack, chromium: Browser) -> None:
    stack.run("docker", "compose", "build", seconds=900)
    stack.up()
    walk_through(chromium, f"http://localhost:{stack.environment['NEXTJS_PORT']}")
    # Laravel is there for other programs too, and says whose error it is.
    notes = f"http://127.0.0.1:{stack.environment['LARAVEL_PORT']}"
    assert once(notes, "GET", "/api/notes").json()["code"] == "token_missing"
    # The examples stand beside nginx alone.
    reached = "fetch('http://web:5000/healthz').then(() => console.log('reached'), () => {})"
    assert stack.compose("exec", "-T", "nextjs", "node", "-e", reached).stdout == ""
    logs = stack.compose("logs", "notes-mysql").stdout
    assert "ROOT PASSWORD" not in logs
