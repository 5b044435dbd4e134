"""The program as it is started: one command, and two instances on one database."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, Library, Person, run_command

from tests.support.environment import clean_environment, free_port, wait_until
from tests.support.http import Connection, once
from tests.support.servers import Server, is_healthy

Serve = Callable[..., AbstractContextManager[Library]]
PEOPLE = 24


def test_one_command_and_no_setting(tmp_path: Path) -> None:
    port = str(free_port())
    environment = clean_environment() | {"INSTANCE_PATH": str(tmp_path / "new"), "PORT": port}
    command = [sys.executable, "-m", "perpustakaan"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=HERE, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or is_healthy(url), "the library to start")
        assert once(url, "GET", "/readyz").status == 200
        assert once(url, "GET", "/api/books").json() == {"books": [], "next": None}
        # Another address of this machine is not served.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", int(port)))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    assert (tmp_path / "new" / "perpustakaan.db").is_file()
    assert (tmp_path / "log").read_text() == f"Perpustakaan is at {url}/\n"


@pytest.mark.parametrize(
    ("name", "value", "begin"),
    [
        ("APP_URL", "nonsense", "APP_URL: "), ("PORT", "http", "PORT: "), ("PORT", "0", "PORT: "),
        ("WORKERS", "-1", "WORKERS: "), ("SECRET_KEY", "short", "SECRET_KEY: "),
        ("DATABASE_URL", "mysql://u@127.0.0.1:9/d", "the database: "),
        ("DATABASE_URL", "sqlite:////nowhere/a.db", "the database: "),
    ],
)  # fmt: skip
def test_what_is_wrong_stops_the_start_with_one_line(
    tmp_path: Path, name: str, value: str, begin: str
) -> None:
    environment = clean_environment() | {"INSTANCE_PATH": str(tmp_path), name: value}
    command = [sys.executable, "-m", "perpustakaan"]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"perpustakaan: {begin}")
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def people(make_person: Callable[..., Person]) -> list[Person]:
    return [make_person() for _ in range(PEOPLE)]


@pytest.mark.parametrize("kind", ["sqlite", "mysql"])
def test_two_instances_lend_the_last_copy_once(
    request: pytest.FixtureRequest,
    serve_library: Serve,
    loguserapp: Server,
    people: list[Person],
    kind: str,
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    # Both begin with the same secret and each finds what the other has written.
    with serve_library(url, loguserapp.url) as one, serve_library(url, loguserapp.url) as other:
        instances = [one.url, other.url]
        assert once(one.url, "GET", "/api/me", people[0].access).status == 200
        run_command(url, "librarian", people[0].username)
        fields = {"title": "Belenggu", "author": "Armijn Pane", "copies": "1"}
        made = once(other.url, "POST", "/api/books", people[0].access, **fields)
        assert made.status == 201
        path = f"/api/books/{made.json()['id']}/loans"

        answers = send_at_once(
            [(instances[n % 2], path, person) for n, person in enumerate(people)]
        )
        assert Counter(status for status, _ in answers) == {201: 1, 202: PEOPLE - 1}
        positions = sorted(body["position"] for status, body in answers if status == 202)
        assert positions == list(range(1, PEOPLE))

        # A librarian takes it back at both instances at once; the first who waits gets it.
        (loan,) = [body for status, body in answers if status == 201]
        back = f"/api/loans/{loan['id']}/return"
        found = send_at_once([(instance, back, people[0]) for instance in instances])
        assert sorted(status for status, _ in found) == [200, 409]
        (first,) = [
            person for person, (_, body) in zip(people, answers, strict=True)
            if body.get("position") == 1
        ]  # fmt: skip
        for instance in instances:
            me = once(instance, "GET", "/api/me", first.access).json()
            assert [each["book"]["title"] for each in me["loans"]] == ["Belenggu"]
            assert me["waits"] == []


def send_at_once(calls: list[tuple[str, str, Person]]) -> list[tuple[int, dict[str, Any]]]:
    """POST all at the same moment; status and body of each answer, in the order of the calls."""
    found: list[tuple[int, dict[str, Any]]] = [(0, {})] * len(calls)
    start = threading.Barrier(len(calls))

    def send(place: int) -> None:
        url, path, person = calls[place]
        with Connection(url) as connection:
            connection.send("GET", "/healthz")
            start.wait()
            answer = connection.send("POST", path, person.access)
            found[place] = (answer.status, answer.json())

    threads = [threading.Thread(target=send, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
