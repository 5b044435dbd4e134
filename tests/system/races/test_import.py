"""The import on a real server: people of every program log in, and nothing that races it breaks."""

from __future__ import annotations

import csv
import io
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from tests.support import hashes
from tests.support.databases import execute, select
from tests.support.environment import ROOT, clean_environment, wait_until
from tests.support.http import Connection
from tests.support.servers import Server

ROUNDS = 5
ROWS = 20_000
PATIENCE = 120  # seconds, on a busy machine


@pytest.fixture
def server(
    serve: Callable[..., AbstractContextManager[Server]], database_url: str
) -> Iterator[Server]:
    with serve(database_url) as server:
        yield server


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_import(server: Server, database_url: str) -> Iterator[Start]:
    """Start an import of a file; none outlives the test."""
    settings = {"DATABASE_URL": database_url, "INSTANCE_PATH": str(server.instance)}
    started = []

    def start(file: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "flask", "users", "import", str(file), "--yes"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment() | settings, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finished(process: subprocess.Popen[str]) -> list[int]:
    """How many it has imported, found here and refused."""
    printed, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    lines = [line.split() for line in printed.splitlines() if line.startswith(" ")]
    return [int(words[0].replace(",", "")) for words in lines]


def test_ten_people_of_each_program_log_in(
    server: Server, start_import: Start, database_url: str, tmp_path: Path
) -> None:
    people = {f"person{number}": person for number, person in enumerate(hashes.people())}
    assert set(Counter(person.program for person in people.values()).values()) == {10}
    text = io.StringIO()
    csv.writer(text).writerows([
        ("username", "email", "password"),
        *((name, f"{name}@example.com", person.hash) for name, person in people.items()),
    ])  # fmt: skip
    file = tmp_path / "people.csv"
    file.write_text(text.getvalue())
    assert finished(start_import(file)) == [len(people), 0, 0]

    def status(name: str, password: str) -> int:
        with Connection(server.url, PATIENCE) as connection:
            return connection.send("POST", "/login", username=name, password=password).status

    with ThreadPoolExecutor(2) as pool:
        for password_of, expected in (
            (lambda person: f"{person.password} ", 401),
            (lambda person: person.password, 200),
            (lambda person: person.password, 200),
        ):
            futures = {
                name: pool.submit(status, name, password_of(person))
                for name, person in people.items()
            }
            answers = {name: future.result() for name, future in futures.items()}
            assert {n for n, answer in answers.items() if answer != expected} == set()
    stored = select(database_url, "SELECT password FROM user")
    assert {text[:7] for (text,) in stored} == {"$2b$10$"}


def is_there(database_url: str, query: str) -> bool:
    return select(database_url, query) == [(1,)]


def test_of_an_import_and_registrations_of_the_same_people_one_makes_each_account(
    server: Server, start_import: Start, database_url: str, tmp_path: Path
) -> None:
    """Others register with names and e-mails of the file, in any pairing, while it is imported."""
    for turn in range(ROUNDS):
        file = tmp_path / f"{turn}.csv"
        names = [f"turn{turn}.{number}" for number in range(3000)]
        rows = "".join(f"\n{name},{name}@example.com," for name in names)
        file.write_text(f"username,email,password{rows}")
        process = start_import(file)

        def register(number: int, names: list[str] = names) -> int:
            """The same person as in the file, another e-mail, or one row's name with another's."""
            emails = (names[number], f"other.{names[number]}", names[number - 1])
            body = {
                "username": names[number],
                "email": f"{emails[number % 3]}@example.com",
                "password": hashes.PASSWORD,
            }
            with Connection(server.url, PATIENCE) as connection:
                return connection.send("POST", "/register", **body).status

        begun = f"SELECT count(*) FROM user WHERE username = '{names[999]}'"
        with ThreadPoolExecutor(4) as pool:
            early = list(pool.map(register, range(12)))
            wait_until(partial(is_there, database_url, begun), "the first batch", PATIENCE)
            late = list(pool.map(register, range(1000, 3000, 80)))
        imported, present, refused = finished(process)
        statuses = Counter(early + late)
        assert set(statuses) <= {201, 409}
        assert imported + present + refused == len(names)
        like = f"WHERE username LIKE 'turn{turn}.%'"
        ((accounts,),) = select(database_url, f"SELECT count(*) FROM user {like}")
        assert accounts == imported + statuses[201]
        assert present + refused <= 2 * statuses[201]


def test_an_import_that_is_killed_goes_on_where_it_was(
    server: Server, start_import: Start, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "many.csv"
    rows = "".join(f"\nperson{number},p{number}@example.com," for number in range(ROWS))
    file.write_text(f"username,email,password{rows}")
    process = start_import(file)
    count = "SELECT count(*) FROM user"
    wait_until(lambda: select(database_url, count) > [(2000,)], "some batches", PATIENCE)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ((before,),) = select(database_url, count)
    assert before % 1000 == 0  # whole batches
    assert 0 < before < ROWS
    execute(database_url, "UPDATE user SET password = 'untouched'")
    assert finished(start_import(file)) == [
        ROWS - before, before, 0,
    ]  # fmt: skip
    assert select(database_url, count) == [(ROWS,)]
    untouched = "SELECT count(*) FROM user WHERE password = 'untouched'"
    assert select(database_url, untouched) == [(before,)]


def test_an_import_waits_for_a_table_that_is_locked_for_longer_than_a_request_waits(
    start_import: Start, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "one.csv"
    file.write_text("username,email,password\nbudi,budi@example.com,")
    is_sqlite = database_url.startswith("sqlite")
    lock = "BEGIN IMMEDIATE" if is_sqlite else "LOCK TABLES user WRITE"
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.connect() as holder:
        holder.exec_driver_sql(lock)
        process = start_import(file)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        holder.exec_driver_sql("ROLLBACK" if is_sqlite else "UNLOCK TABLES")
    assert finished(process) == [1, 0, 0]
