"""What the tests share: a real loguserapp, databases on SQLite and MySQL, people with tokens."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from described import watch
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from perpustakaan import create_app
from perpustakaan.database import db
from perpustakaan.models import Book, Reader
from tests.support.databases import execute, mysql_database, mysql_server
from tests.support.environment import clean_environment, free_port, wait_until
from tests.support.http import once
from tests.support.servers import Server, is_healthy, run_server

__all__ = ["mysql_server"]

# On a machine that others use too, a time says nothing about the code.
hypothesis.settings.register_profile("perpustakaan", deadline=None)
hypothesis.settings.load_profile("perpustakaan")

HERE = Path(__file__).resolve().parent.parent
PASSWORD = "mira-reads-47-books"
SECRET = "only-for-the-tests-0123456789-0123456789"
TABLES = ("wait", "loan", "book_word", "book", "reader")
_numbers = itertools.count(1)


def today() -> date:
    """The day where the library is, as its settings say unless a test does."""
    return datetime.now(ZoneInfo("Asia/Jakarta")).date()


@dataclass(frozen=True)
class Person:
    """Somebody with an account at loguserapp and a login there."""

    username: str
    sub: str
    access: str
    refresh: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


@pytest.fixture(scope="session")
def library_port() -> int:
    """The port of the library where it runs as a server of its own."""
    return free_port()


@pytest.fixture(scope="session")
def library_url(library_port: int) -> str:
    """The public address of the library; loguserapp leads back to it and to its path prefix."""
    return f"http://127.0.0.1:{library_port}"


@contextmanager
def run_loguserapp(folder: Path, library_url: str, **settings: str) -> Iterator[Server]:
    """A loguserapp that hands its codes to a library, with and without a path prefix."""
    callbacks = f"{library_url}/callback {library_url}/perpustakaan/callback"
    database = f"sqlite:///{folder / 'loguserapp.db'}"
    given: dict[str, Any] = {"WORKERS": "1", "CLIENT_REDIRECT_URLS": callbacks} | settings
    with run_server(folder, database, **given) as server:
        yield server


@pytest.fixture(scope="session")
def loguserapp(tmp_path_factory: pytest.TempPathFactory, library_url: str) -> Iterator[Server]:
    """One login service for the whole run."""
    with run_loguserapp(tmp_path_factory.mktemp("loguserapp"), library_url) as server:
        yield server


@pytest.fixture(scope="session")
def make_person(loguserapp: Server) -> Callable[..., Person]:
    """Register people, each with another name unless one is given."""
    return partial(register, loguserapp.url)


def register(url: str, name: str = "") -> Person:
    username = name or f"reader-{next(_numbers)}-{os.getpid()}"
    fields = {"username": username, "password": PASSWORD}
    answer = once(url, "POST", "/register", email=f"{username}@example.com", **fields)
    assert answer.status == 201, answer.body
    return log_in(url, username)


def log_in(url: str, username: str) -> Person:
    answer = once(url, "POST", "/api/auth/login/", username=username, password=PASSWORD)
    assert answer.status == 200, answer.body
    pair = answer.json()
    me = once(url, "GET", "/api/auth/me/", pair["access"]).json()
    return Person(username, str(me["id"]), pair["access"], pair["refresh"])


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "perpustakaan.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def _mysql_migrated(mysql_server: str) -> Iterator[str]:
    with mysql_database(mysql_server) as url:
        migrate(url)
        yield url


def migrate(url: str) -> None:
    app = create_app(settings_for(url))
    with app.app_context():
        upgrade()
        db.engine.dispose()


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """An empty, migrated SQLite database."""
    shutil.copy(_sqlite_template, tmp_path / "perpustakaan.db")
    return f"sqlite:///{tmp_path / 'perpustakaan.db'}"


@pytest.fixture
def mysql_url(_mysql_migrated: str) -> str:
    """An empty, migrated MySQL database."""
    execute(_mysql_migrated, *(f"DELETE FROM {table}" for table in TABLES))
    return _mysql_migrated


@pytest.fixture(params=["sqlite", "mysql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty, migrated database: each test runs on SQLite and on MySQL."""
    return str(request.getfixturevalue(f"{request.param}_url"))


def settings_for(url: str, **settings: str) -> dict[str, str]:
    # Nothing listens on the second port unless a test says so.
    unused = "http://127.0.0.1:9"
    return {"DATABASE_URL": url, "SECRET_KEY": SECRET, "LOGUSERAPP_URL": unused} | settings


@pytest.fixture
def make_app(database_url: str) -> Iterator[Callable[..., Flask]]:
    """Make applications on the test's database: make_app(LOGUSERAPP_URL=…)."""
    apps: list[Flask] = []

    def make(**settings: str) -> Flask:
        apps.append(create_app(settings_for(database_url, **settings)))
        watch(apps[-1])
        return apps[-1]

    yield make
    for app in apps:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask], loguserapp: Server) -> Flask:
    """The library, which trusts the tokens of the run's loguserapp."""
    return make_app(LOGUSERAPP_URL=loguserapp.url)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def rules(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    """The library inside an application context, for tests of the rules without HTTP."""
    app = make_app()
    with app.app_context():
        yield app


@pytest.fixture
def reader(make_person: Callable[..., Person]) -> Person:
    return make_person()


@pytest.fixture
def librarian(make_person: Callable[..., Person], app: Flask) -> Person:
    """A person whom the command has made a librarian."""
    person = make_person()
    answer = app.test_client().get("/api/me", headers=person.bearer)
    assert answer.status_code == 200, answer.text
    done = app.test_cli_runner().invoke(args=["librarian", person.username])
    assert done.exit_code == 0, done.output
    return person


def add_readers(count: int) -> list[int]:
    """Put readers into the database; their ids, in order. Needs an application context."""
    start = next(_numbers) * 1000
    made = [Reader(sub=str(start + n), username=f"r{start + n}") for n in range(count)]
    db.session.add_all(made)
    db.session.commit()
    return [reader.id for reader in made]


def book_fields(**changed: Any) -> dict[str, Any]:
    return {"title": "Laskar Pelangi", "author": "Andrea Hirata", "copies": 1} | changed


def in_parallel(app: Flask, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call all at the same moment, each in a thread and an application context of its own.

    Returns:
        What each returned or raised, in the order of `calls`.

    """
    found: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(place: int) -> None:
        with app.app_context():
            start.wait()
            try:
                found[place] = calls[place]()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                found[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def assert_copies_add_up() -> None:
    """The invariant: copies = on shelf + lent, and nobody waits for what is on the shelf."""
    db.session.rollback()
    rows = db.session.execute(
        db.text(
            "SELECT book.id, copies, lent,"
            " (SELECT count(*) FROM loan WHERE book_id = book.id AND is_open = 1),"
            " (SELECT count(*) FROM wait WHERE book_id = book.id) FROM book"
        )
    ).all()
    for book_id, copies, lent, open_loans, waiting in rows:
        assert lent == open_loans, f"book {book_id}"
        assert 0 <= lent <= copies, f"book {book_id}"
        assert not (waiting and lent < copies), f"book {book_id}: a wait for a copy on the shelf"


def latest(book_id: int) -> Book:
    """A book as it is in the database now."""
    db.session.rollback()
    return db.session.get_one(Book, book_id, populate_existing=True)


def run_command(url: str, *command: str) -> str:
    """Run a command of the program on a database, in a process of its own; its output."""
    environment = clean_environment() | settings_for(url) | {"PYTHONDONTWRITEBYTECODE": "1"}
    whole = [sys.executable, "-m", "flask", "--app", "perpustakaan", *command]
    done = subprocess.run(
        whole, cwd=HERE, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Library:
    """The program as `python -m perpustakaan` starts it."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def run_library(
    folder: Path, database_url: str, service_url: str, **settings: str
) -> Iterator[Any]:
    """Start the program, on a port of its own unless PORT says so, and stop it."""
    port = settings.get("PORT") or str(free_port())
    url = settings.get("APP_URL", f"http://127.0.0.1:{port}")
    given = settings_for(database_url, LOGUSERAPP_URL=service_url, APP_URL=url, PORT=port)
    instance = {"INSTANCE_PATH": str(folder / "library"), "PYTHONDONTWRITEBYTECODE": "1"}
    log = folder / f"library-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "perpustakaan"],
            cwd=HERE, env=clean_environment() | instance | given | settings,
            stdout=output, stderr=output, text=True,
        )  # fmt: skip
    own = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or is_healthy(own), "the library to start")
        assert process.poll() is None, log.read_text()
        yield Library(url, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def serve_library(tmp_path: Path) -> Callable[..., AbstractContextManager[Library]]:
    """Start libraries as programs: serve_library(database_url, service_url, PORT="…")."""
    return partial(run_library, tmp_path)
