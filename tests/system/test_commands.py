"""The commands as the documentation shows them, on a service that has started."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.sessions.keys import Keyring
from tests.support.application import DUMMY
from tests.support.databases import execute
from tests.support.environment import (
    ROOT,
    copy_program,
    environment_of_program,
    free_port,
    wait_until,
)
from tests.support.http import once
from tests.support.servers import is_healthy


def shown(page: str) -> list[str]:
    """The commands in a page's terminal blocks."""
    lines = re.findall(r"^\$ (\./loguserapp .*)$", (ROOT / page).read_text(), re.MULTILINE)
    assert lines, f"{page} shows no command"
    return lines


@pytest.mark.parametrize("page", ["README.md", "README.id.md", "docs/tokens/README.md"])
def test_the_commands_that_are_shown_work_after_a_start(tmp_path: Path, page: str) -> None:
    """D21."""
    program = copy_program(tmp_path)
    port = free_port()
    environment = environment_of_program(PORT=str(port), WORKERS="1", BCRYPT_LOG_ROUNDS="10")
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, "-m", "app.server"], cwd=program, env=environment)
    try:
        wait_until(lambda: server.poll() is not None or is_healthy(url), "the server to start")
        assert once(url, "POST", "/register", **DUMMY).status == 201
        for line in shown(page):
            done = subprocess.run(
                line, shell=True, cwd=program, env=environment_of_program(), check=False,
                capture_output=True, text=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            assert done.returncode == 0, (line, done.stderr)
            assert done.stdout.startswith(("id=1  username=dummyuser", "kid=")), line
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def operator(tmp_path: Path, sqlite_url: str) -> dict[str, str]:
    """The settings of a service that has an account, whose person reads Indonesian."""
    Keyring(tmp_path / "instance" / "keyring.json", 900)
    settings = {"DATABASE_URL": sqlite_url, "INSTANCE_PATH": str(tmp_path / "instance")}
    made = said(settings, "users create budi budi@example.com", typed="kucing oren di pasar")
    assert "username=budi" in made
    execute(sqlite_url, "UPDATE user SET language = 'id'")
    return settings


def said(settings: dict[str, str], line: str, *, by: str = "./loguserapp", typed: str = "") -> str:
    """All that a command prints."""
    done = subprocess.run(
        [*by.split(), *line.split()], cwd=ROOT, env=environment_of_program() | settings,
        input=f"{typed}\n", text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    ("line", "typed", "english"),
    [
        ("--help", "", "Show this message and exit."),
        ("users show", "", "Missing argument 'NAME'."),
        ("users show nobody", "", "There is no account of the name 'nobody'."),
        ("users show budi", "", "username=budi"),
        ("users delete budi", "n", "for good? [y/N]: Aborted!"),
        ("users create ani ani@", "kucing oren di pasar", "email: There must be something after"),
        ("users create Budi ani@example.com", "kucing oren di pasar", "That username is taken."),
        ("users set-password budi", "bismillah", "password: That password is too easy to guess."),
    ],
)
@pytest.mark.parametrize("by", ["./loguserapp", f"{sys.executable} -m flask"], ids=["own", "flask"])
def test_commands_speak_english_to_every_operator_and_of_every_person(
    operator: dict[str, str], by: str, line: str, typed: str, english: str
) -> None:
    indonesian = dict.fromkeys(("LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE"), "id_ID.UTF-8")
    printed = said(operator | indonesian, line, by=by, typed=typed)
    assert english in printed
    assert printed == said(operator | {"LC_ALL": "C.UTF-8"}, line, by=by, typed=typed)
