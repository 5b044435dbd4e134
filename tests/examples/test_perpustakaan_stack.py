"""The library in the production stack: `docker compose --profile perpustakaan up -d`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.environment import ROOT, docker_or_missing, wait_until
from tests.support.http import Answer, once
from tests.system.compose.stack import Stack, copy_files

pytestmark = pytest.mark.examples

READER = {"username": "newcomer", "email": "newcomer@example.com", "password": "orange cat asleep"}
BOOK = "Sitti Nurbaya"
# A program that prints which cookies and which address reach it.
LISTENER = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Seen(BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.headers["Cookie"], self.headers["X-Forwarded-For"], flush=True)
        self.send_response(204)
        self.end_headers()
HTTPServer(("", 8006), Seen).serve_forever()
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with 200 books, from files as a stranger has them."""
    docker_or_missing()
    folder = copy_files(tmp_path_factory.mktemp("stack"))
    shutil.copytree(ROOT / "examples" / "perpustakaan", folder / "examples" / "perpustakaan")
    name = f"loguserapp-perpustakaan-{os.getpid()}"
    images = {"WEB_IMAGE": name, "PERPUSTAKAAN_IMAGE": f"{name}-library"}
    stack = Stack(folder, name, COMPOSE_PROFILES="perpustakaan", **images)
    try:
        stack.run("docker", "compose", "build", seconds=900)
        stack.up()
        bring_books(stack)
        yield stack
    finally:
        stack.down()
        remove = ["docker", "rmi", "-f", *images.values()]
        subprocess.run(remove, check=False, capture_output=True)


def bring_books(stack: Stack) -> None:
    command = ("exec", "-T", "perpustakaan", "flask", "import-books", "demo/books.csv")
    assert "200 books added" in stack.compose(*command).stdout


def library(stack: Stack, method: str, path: str, token: str = "", **fields: str) -> Answer:
    return once(stack.url, method, f"/perpustakaan{path}", token, **fields)


def tokens(stack: Stack) -> dict[str, str]:
    pair: dict[str, str] = once(stack.url, "POST", "/api/auth/login/", **READER).json()
    return pair


def book_id(stack: Stack) -> int:
    found = library(stack, "GET", "/api/books?q=sitti+nurbaya").json()
    return int(found["books"][0]["id"])


def in_the_library(stack: Stack, script: str) -> str:
    """What a program prints that runs in a container of the library."""
    return stack.compose("exec", "-T", "perpustakaan", "python", "-c", script).stdout.strip()


def test_a_person_registers_borrows_logs_out_and_is_refused(
    stack: Stack, chromium: Browser
) -> None:
    context = chromium.new_context(locale="id-ID", viewport={"width": 360, "height": 800})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.goto(f"{stack.url}/perpustakaan")
    borrow(page)
    assert [cookie["name"] for cookie in context.cookies(f"{stack.url}/perpustakaan/")] != []
    pair = tokens(stack)
    assert len(library(stack, "GET", "/api/loans", pair["access"]).json()["loans"]) == 1
    page.get_by_role("button", name="Keluar").click()
    page.goto(f"{stack.url}/perpustakaan/loans")
    # The browser's own login at loguserapp goes on, and asks before it lends its name again.
    expect(page.get_by_role("heading", level=1)).to_contain_text("Lanjut ke")
    assert faults == []
    context.close()
    # A logout anywhere counts here: 2 s for the service's list, 1 s for the age of the copy.
    once(stack.url, "POST", "/api/auth/logout/", refresh=pair["refresh"])
    began = time.monotonic()
    wait_until(
        lambda: library(stack, "GET", "/api/me", pair["access"]).status == 401, "a refusal", 3
    )
    print(f"a logout was seen after {time.monotonic() - began:.1f} s")


def borrow(page: Page) -> None:
    """Look for a book, create an account for it, and borrow it."""
    page.get_by_role("searchbox").fill("nurbaya")
    page.get_by_role("button", name="Cari").click()
    page.get_by_role("link", name=re.compile(BOOK)).first.click()
    book = page.url
    page.get_by_role("link", name=re.compile("Masuk untuk")).click()
    page.get_by_role("link", name="Buat akun").last.click()
    page.get_by_label("Nama pengguna").fill(READER["username"])
    page.get_by_label("Email").fill(READER["email"])
    page.get_by_label("Kata sandi", exact=True).fill(READER["password"])
    page.get_by_role("main").get_by_role("button", name="Buat akun").click()
    page.wait_for_url(book)
    page.get_by_role("button", name="Pinjam").click()
    expect(page.get_by_role("main")).to_contain_text("Buku ini Anda pinjam sampai")


def test_the_library_is_given_its_own_cookies_alone(stack: Stack) -> None:
    """A program in its place sees none of those that log people in at loguserapp."""
    stack.compose("stop", "perpustakaan")
    name = f"{stack.name}-listener"
    run = ("run", "-d", "--rm", "--no-deps", "--use-aliases", "--name", name)
    stack.compose(*run, "perpustakaan", "python", "-c", LISTENER)
    try:
        wait_until(lambda: ask_with_cookies(stack) == 204, "the listener", 30)
        seen = stack.run("docker", "logs", name).stdout.splitlines()[-1]
    finally:
        stack.run("docker", "rm", "-f", name)
        stack.up()
    cookies, _, address = seen.rpartition(" ")
    assert cookies == (
        "perpustakaan_session=a; perpustakaan_access=b; perpustakaan_refresh=; "
        "perpustakaan_language="
    )
    assert address != "192.0.2.7"


def ask_with_cookies(stack: Stack) -> int:
    cookies = "session=s; __Host-session=h; perpustakaan_session=a; perpustakaan_access=b"
    connection = HTTPConnection("localhost", stack.port, timeout=10)
    connection.request(
        "GET", "/perpustakaan/", headers={"Cookie": cookies, "X-Forwarded-For": "192.0.2.7"}
    )
    status = connection.getresponse().status
    connection.close()
    return status


def test_its_user_of_the_database_may_change_rows_of_its_own_alone(stack: Stack) -> None:
    grants = stack.as_root("SHOW GRANTS FOR 'perpustakaan'@'%'")
    assert grants == [
        "GRANT USAGE ON *.* TO `perpustakaan`@`%`",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON `perpustakaan`.* TO `perpustakaan`@`%`",
    ]
    grants = stack.as_root("SHOW GRANTS FOR 'perpustakaan_migrate'@'%'")
    assert [grant for grant in grants if "`loguserapp`" in grant] == []


def test_it_does_not_reach_the_service_beside_nginx(stack: Stack) -> None:
    reach = (
        "import socket\n"
        "for name in ('web', 'nginx'):\n"
        "    try: socket.create_connection((name, 5000 if name == 'web' else 8081), 2)\n"
        "    except OSError: print(name, 'no')\n"
        "    else: print(name, 'yes')"
    )
    assert in_the_library(stack, reach).splitlines() == ["web no", "nginx yes"]


def test_a_replica_may_end_at_any_time(stack: Stack) -> None:
    stack.kill(stack.ids("perpustakaan")[0])
    answers = [library(stack, "GET", "/api/books").status for _ in range(50)]
    assert set(answers) == {200}
    stack.up()


def test_the_catalogue_is_there_without_loguserapp(stack: Stack) -> None:
    pair = tokens(stack)
    known = [library(stack, "GET", "/api/me", pair["access"]).status for _ in range(20)]
    assert set(known) == {200}  # on both replicas
    stack.compose("stop", "web")
    try:
        assert library(stack, "GET", "/api/books?q=nurbaya").status == 200
        # Its keys are known, and so is the reader.
        assert library(stack, "GET", "/api/me", pair["access"]).status == 200
    finally:
        stack.up()


def test_without_the_database_it_says_so_and_answers_what_needs_none(stack: Stack) -> None:
    stack.compose("stop", "mysql")
    try:
        refused = library(stack, "GET", "/api/books")
        assert (refused.status, refused.json()["code"]) == (503, "service_unavailable")
        assert refused.headers["Retry-After"]
        assert library(stack, "GET", "/healthz").status == 200
        assert library(stack, "GET", "/openapi.json").status == 200
    finally:
        stack.up()


def test_a_backup_takes_it_along(stack: Stack, tmp_path: Path) -> None:
    file = str(tmp_path / "backup.tar.gz")
    rows = "SELECT COUNT(*) FROM perpustakaan.loan"
    before = stack.sql(rows)
    assert before != ["0"]
    stack.run("make", "backup", more={"FILE": file})
    refused = stack.run("make", "restore", check=False, more={"FILE": file})
    assert "nothing is overwritten" in refused.stderr
    stack.compose("down", "-v", "-t", "2")
    stack.run("make", "restore", more={"FILE": file}, seconds=300)
    stack.up()
    assert stack.sql(rows) == before
    assert library(stack, "GET", f"/api/books/{book_id(stack)}").json()["lent"] == 1
    pair = tokens(stack)
    assert len(library(stack, "GET", "/api/loans", pair["access"]).json()["loans"]) == 1


def test_where_it_does_not_run_there_is_a_503(stack: Stack) -> None:
    stack.compose("stop", "perpustakaan")
    try:
        refused = library(stack, "GET", "/")
        assert (refused.status, refused.json()["code"]) == (503, "service_unavailable")
        assert refused.headers["Retry-After"] == "5"
    finally:
        stack.up()
