"""The database goes away, dead or silent, and comes back: nobody waits long, nothing is lost."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest

from app import create_app
from app.core.errors import RevocationUnknownError, TokenRevokedError
from app.extensions import db
from app.sessions.revocation import RevocationList
from tests.support.application import BROWSER, DUMMY, close
from tests.support.databases import PrivateMySQL, execute, make_config, private_mysql, select
from tests.support.environment import free_port, wait_until
from tests.support.http import Answer, once
from tests.support.servers import Server, run_server

LONGEST = 5.0
FAULTS = pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "silent"])


@dataclass
class Place:
    """A service of two workers on a MySQL of its own."""

    mysql: PrivateMySQL
    server: Server
    url: str
    access_token: str

    def break_by(self, fault: signal.Signals) -> None:
        self.mysql.signal(fault)

    def heal(self, fault: signal.Signals) -> None:
        if fault == signal.SIGKILL:
            self.mysql.start()
        else:
            self.mysql.signal(signal.SIGCONT)
        wait_until(self.ready, "the service to notice that the database is back")

    def ready(self) -> bool:
        """Whether both workers have noticed: sixteen connections of their own will meet both."""
        return all(once(self.server.url, "GET", "/readyz").status == 200 for _ in range(16))

    def timed(self, method: str, path: str, **fields: str) -> tuple[Answer, float]:
        began = time.monotonic()
        answer = once(self.server.url, method, path, **fields)
        return answer, time.monotonic() - began


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("away")
    with private_mysql(tmp_path_factory.mktemp("mysql"), durable=True) as mysql:
        url = f"{mysql.url}/away"
        execute(f"{mysql.url}/", "CREATE DATABASE away")
        with run_server(folder, url) as server:
            assert once(server.url, "POST", "/register", **DUMMY).status == 201
            tokens = once(server.url, "POST", "/login", **DUMMY).json()
            yield Place(mysql, server, url, tokens["access_token"])


@FAULTS
def test_it_comes_back_without_a_restart(place: Place, fault: signal.Signals) -> None:
    place.break_by(fault)
    assert once(place.server.url, "POST", "/login", **DUMMY).status == 503
    place.heal(fault)
    with ThreadPoolExecutor(8) as pool:  # more than the connections that each worker had kept
        logins = pool.map(lambda _: once(place.server.url, "POST", "/login", **DUMMY), range(24))
        assert {answer.status for answer in logins} == {200}
    assert place.server.process.poll() is None


def test_a_server_that_takes_no_writes_adds_to_the_list_of_revocations_and_removes_nothing(
    place: Place, tmp_path: Path
) -> None:
    """It may be a member of a cluster that the latest logouts have not reached."""
    tokens = once(place.server.url, "POST", "/login", **DUMMY).json()
    ended = int(jwt.decode(tokens["access_token"], options={"verify_signature": False})["sid"])
    out = once(place.server.url, "POST", "/api/auth/logout/", refresh=tokens["refresh_token"])
    assert out.status == 200
    app = create_app(make_config(place.url, tmp_path / "behind"))
    with app.app_context():
        engine = db.engine
    known, newcomer = RevocationList(app), RevocationList(app)
    known.refresh(engine)
    behind = f"UPDATE session SET revoked_at = NULL WHERE id = {ended}"
    execute(place.url, "SET GLOBAL read_only = 1", behind)  # root writes all the same
    try:
        known.refresh(engine)
        with pytest.raises(TokenRevokedError):
            known.check(ended)
        with pytest.raises(RevocationUnknownError):
            newcomer.check(ended)
    finally:
        execute(place.url, "SET GLOBAL read_only = 0")
    known.refresh(engine)
    known.check(ended)
    newcomer.stop()
    known.stop()
    close(app)


def test_what_was_acknowledged_before_a_crash_is_there_after_it(place: Place) -> None:
    acknowledged: list[str] = []
    others: list[int] = []
    crashed = threading.Event()

    def register_until_it_fails() -> None:
        while not others:
            name = f"person{len(acknowledged)}"
            new = DUMMY | {"username": name, "email": f"{name}@example.com"}
            status = once(place.server.url, "POST", "/register", **new).status
            if status == 201:
                acknowledged.append(name)
                if len(acknowledged) == 5:
                    crashed.set()
            else:
                others.append(status)

    clients = threading.Thread(target=register_until_it_fails)
    clients.start()
    assert crashed.wait(timeout=30)
    place.break_by(signal.SIGKILL)
    clients.join(timeout=30)
    place.heal(signal.SIGKILL)
    assert others == [503]
    kept = {name for (name,) in select(place.url, "SELECT username FROM user")}
    assert set(acknowledged) - kept == set()


@pytest.fixture(scope="module", params=[signal.SIGKILL, signal.SIGSTOP], ids=["dead", "silent"])
def away(place: Place, request: pytest.FixtureRequest) -> Iterator[Place]:
    """The same, with the database dead or silent."""
    for _ in range(8):  # both workers have looked at the list of revocations
        assert once(place.server.url, "GET", "/resource", place.access_token).status == 200
    place.break_by(request.param)
    yield place
    place.heal(request.param)


REQUESTS = {
    "a registration": ("POST", "/register", DUMMY | {"username": "other"}),
    "a login": ("POST", "/login", DUMMY),
    "a question whether all is well": ("GET", "/readyz", {}),
}


@pytest.mark.parametrize("sent", REQUESTS.values(), ids=REQUESTS)
def test_what_needs_the_database_is_refused_soon(away: Place, sent: tuple[str, str, Any]) -> None:
    answer, took = away.timed(sent[0], sent[1], **sent[2])
    assert (answer.status, answer.json()["code"]) == (503, "service_unavailable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert took < LONGEST


def test_many_at_once_are_refused_soon_as_well(away: Place) -> None:
    with ThreadPoolExecutor(100) as pool:
        results = list(pool.map(lambda _: away.timed("POST", "/login", **DUMMY), range(100)))
    assert {answer.status for answer, _ in results} == {503}
    assert max(took for _, took in results) < LONGEST


def test_the_process_is_known_to_be_alive(away: Place) -> None:
    answer, took = away.timed("GET", "/healthz")
    assert answer.status == 200
    assert took < 1


def test_a_token_still_opens_the_resource(away: Place) -> None:
    answer = once(away.server.url, "GET", "/resource", away.access_token)
    assert (answer.status, answer.json()) == (200, {"message": "akses sukses"})


def test_pages_that_need_no_account_are_still_shown(away: Place) -> None:
    request = urllib.request.Request(f"{away.server.url}/login", headers=BROWSER)
    with urllib.request.urlopen(request, timeout=1) as answer:
        assert b"<h1>Log in</h1>" in answer.read()


def test_a_service_that_starts_before_its_database_says_so_in_one_line(
    serve: Callable[..., Any],
) -> None:
    nobody = f"mysql://root@127.0.0.1:{free_port()}/loguserapp"
    with pytest.raises(AssertionError) as stopped, serve(nobody):
        pass
    (line,) = str(stopped.value).splitlines()[:1]
    assert "DATABASE_URL" in line


def test_a_locked_sqlite_file_is_an_absent_database_for_those_who_write(
    serve: Callable[..., Any], sqlite_url: str
) -> None:
    with serve(sqlite_url, WORKERS="1") as server:
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        answer = once(server.url, "POST", "/register", **DUMMY)
        took = time.monotonic() - began
        assert (answer.status, answer.json()["code"]) == (503, "service_unavailable")
        assert took < LONGEST
        assert once(server.url, "POST", "/login", **DUMMY).status == 401  # which only reads
        other.close()
        assert once(server.url, "POST", "/register", **DUMMY).status == 201
