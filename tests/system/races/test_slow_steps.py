"""Logins, changes and slow clients at once, on a real server with real bcrypt and real sockets."""

from __future__ import annotations

import os
import pty
import select as io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import DUMMY
from tests.support.databases import execute, select
from tests.support.environment import ROOT, clean_environment, wait_until
from tests.support.http import once
from tests.support.servers import Server

ROUNDS = 5
OLD, NEW = DUMMY["password"], "battery staple horse"


@pytest.fixture
def server(
    serve: Callable[..., AbstractContextManager[Server]], database_url: str
) -> Iterator[Server]:
    with serve(database_url, WORKERS="2", BCRYPT_LOG_ROUNDS="12") as server:
        assert once(server.url, "POST", "/register", **DUMMY).status == 201
        yield server


def log_in(server: Server, password: str) -> dict[str, str] | None:
    sent = DUMMY | {"password": password}
    answer = once(server.url, "POST", "/login", **sent)
    assert answer.status in {200, 401}, answer.body
    return answer.json() if answer.status == 200 else None


def flask(
    server: Server, database_url: str, *arguments: str, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments], cwd=ROOT, check=False, text=True,
        capture_output=True, input=typed, env=environment(server.instance, database_url),
    )  # fmt: skip


def environment(instance: Path, database_url: str) -> dict[str, str]:
    settings = {"DATABASE_URL": database_url, "INSTANCE_PATH": str(instance)}
    return clean_environment() | settings


def refreshes(server: Server, grant: dict[str, str]) -> bool:
    token = grant["refresh_token"]
    answer = once(server.url, "POST", "/api/auth/token/refresh/", refresh=token)
    return answer.status == 200


# --- logins while the password changes -----------------------------------------------------------


def test_no_login_with_the_old_password_outlives_its_change(
    server: Server, database_url: str
) -> None:
    """Three clients log in with the old password without a pause while the owner changes it."""
    now, other = OLD, NEW
    for _ in range(ROUNDS):
        owner = log_in(server, now)
        assert owner
        changed = threading.Event()

        def keep_logging_in(
            password: str, changed: threading.Event = changed
        ) -> list[dict[str, str]]:
            grants: list[dict[str, str] | None] = []
            while not changed.is_set():
                grants.append(log_in(server, password))
            return [grant for grant in grants if grant]

        with ThreadPoolExecutor(3) as pool:
            thieves = [pool.submit(keep_logging_in, now) for _ in range(3)]
            wait_until(lambda: len(living(database_url)) > 1, "a thief to be logged in")
            answer = once(
                server.url, "POST", "/api/auth/password/", owner["access_token"],
                current_password=now, new_password=other,
            )  # fmt: skip
            changed.set()
        assert answer.status == 200, answer.body
        grants = [grant for thief in thieves for grant in thief.result()]
        assert grants
        assert [grant for grant in grants if refreshes(server, grant)] == []
        assert refreshes(server, owner)
        now, other = other, now


def living(database_url: str) -> list[tuple[Any, ...]]:
    return select(database_url, "SELECT id FROM session WHERE revoked_at IS NULL")


def test_no_login_outlives_a_disable_by_the_operator(server: Server, database_url: str) -> None:
    for _ in range(3):
        with ThreadPoolExecutor(3) as pool:
            stop = threading.Event()

            def keep_logging_in(_: int, stop: threading.Event = stop) -> list[dict[str, str]]:
                grants: list[dict[str, str] | None] = []
                while not stop.is_set():
                    grants.append(log_in(server, OLD))
                return [grant for grant in grants if grant]

            thieves = [pool.submit(keep_logging_in, n) for n in range(3)]
            disabled = flask(server, database_url, "users", "disable", "dummyuser")
            stop.set()
        assert disabled.returncode == 0, disabled.stderr
        grants = [grant for thief in thieves for grant in thief.result()]
        # The command is another process: its revocations are known everywhere after 2 s.
        wait_until(
            lambda: all(
                once(server.url, "GET", "/resource", grant["access_token"]).status == 401
                for grant in grants  # noqa: B023
            ),
            "every access token to be refused",
            seconds=2.5,
        )
        assert [grant for grant in grants if refreshes(server, grant)] == []
        assert flask(server, database_url, "users", "enable", "dummyuser").returncode == 0


# --- slow bodies ---------------------------------------------------------------------------------


# Less than the ten seconds that a body has: who waits for a lock longer than this fails.
LOCK_SECONDS = 5


@contextmanager
def slow_body(server: Server, path: str, token: str) -> Iterator[socket.socket]:
    """A request whose body does not come to an end, from when the service waits for the rest."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        # Sent when the body is first read (RFC 9110 §10.1.1).
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{")
        yield connection


def change_every_row(database_url: str) -> None:
    """Lock each account and session; fail if one stays locked."""
    patience = (
        f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}"
        if database_url.startswith("mysql")
        else f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000}"
    )
    execute(
        database_url,
        patience,
        "UPDATE user SET username = username",
        "UPDATE session SET rotation = rotation",
    )


@pytest.mark.parametrize("path", ["/api/auth/password/", "/api/auth/logout/", "/login"])
def test_a_body_that_does_not_end_keeps_no_lock(
    server: Server, database_url: str, path: str
) -> None:
    """Whatever meets a lock fails by itself: the test's changes after 5 s, the service's after 2.

    The service answers a slow body after ten seconds. Changes that took until then say nothing.
    """
    grant = log_in(server, OLD)
    assert grant
    people = count()

    def go_on_meanwhile() -> bool:
        token = grant["access_token"]
        with slow_body(server, path, token) as one, slow_body(server, path, token) as other:
            change_every_row(database_url)
            were_coming = not io.select([one, other], [], [], 0)[0]
            assert log_in(server, OLD)
            name = f"person{next(people)}"
            person = DUMMY | {"username": name, "email": f"{name}@example.com"}
            assert once(server.url, "POST", "/register", **person).status == 201
        return were_coming

    wait_until(go_on_meanwhile, "changes while both bodies are coming")


# --- an operator at a prompt ---------------------------------------------------------------------


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, server: Server, database_url: str, *arguments: str) -> None:
        self.output = ""
        self._own, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flask", *arguments], cwd=ROOT, stdin=theirs, stdout=theirs,
            stderr=theirs, env=environment(server.instance, database_url),
        )  # fmt: skip
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.output:
            assert time.monotonic() < deadline, self.output
            if io.select([self._own], [], [], 1)[0]:
                self.output += os.read(self._own, 4096).decode()

    def type(self, line: str) -> None:
        os.write(self._own, f"{line}\n".encode())

    def end(self) -> int:
        with suppress(OSError):  # the other end is closed: all is read
            while text := os.read(self._own, 4096):
                self.output += text.decode()
        os.close(self._own)
        return self.process.wait(timeout=30)


def test_an_operator_at_a_prompt_keeps_no_lock(server: Server, database_url: str) -> None:
    setting = Terminal(server, database_url, "users", "set-password", "dummyuser")
    setting.wait_for("Password:")
    deleting = Terminal(server, database_url, "users", "delete", "dummy@dummy.com")
    deleting.wait_for("for good?")
    grant = log_in(server, OLD)
    assert grant
    assert refreshes(server, grant)
    execute(database_url, "UPDATE user SET username = username")
    for prompt in ("Repeat for confirmation:", None):
        setting.type(NEW)
        if prompt:
            setting.wait_for(prompt)
    assert setting.end() == 0, setting.output
    assert log_in(server, OLD) is None
    assert log_in(server, NEW)
    deleting.type("y")
    assert deleting.end() == 0, deleting.output
    assert log_in(server, NEW) is None
