"""The database: migrations, the rights of the program's user, and what happens while it is away."""

from __future__ import annotations

import secrets
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from conftest import HERE, Person, add_readers, book_fields, settings_for
from flask import Flask
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from perpustakaan import books, catalogue, config, create_app, lending, lists
from perpustakaan.config import LOCK_TIMEOUT
from perpustakaan.database import db
from perpustakaan.models import Loan
from tests.support.databases import execute, mysql_database, select
from tests.support.environment import clean_environment
from tests.support.servers import Server


def test_the_migrations_make_what_the_models_say(rules: Flask) -> None:
    check()  # raises where they differ


def test_there_and_back(make_app: Callable[..., Flask], database_url: str) -> None:
    with make_app().app_context():
        downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        upgrade()
        assert books.add(book_fields()).on_shelf == 1


@pytest.mark.parametrize("kind", ["sqlite", "mysql"])
def test_two_may_migrate_at_the_same_moment(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'new.db'}"
        if kind == "mysql":
            server = request.getfixturevalue("mysql_server")
            url = stack.enter_context(mysql_database(server))
        command = [sys.executable, "-m", "flask", "--app", "perpustakaan", "db", "upgrade"]
        environment = clean_environment() | settings_for(url)
        started = [subprocess.Popen(command, cwd=HERE, env=environment) for _ in range(3)]
        assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
        assert select(url, "SELECT version_num FROM alembic_version") == [("0001",)]


def test_a_migration_does_not_start_while_another_goes_on(
    mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "MIGRATION_TIMEOUT", 1)
    app, name = create_app(settings_for(mysql_url)), make_url(mysql_url).database
    with app.app_context(), db.engine.connect() as other:
        assert other.scalar(db.text("SELECT GET_LOCK(:name, 1)"), {"name": f"migrate {name}"}) == 1
        with pytest.raises(SystemExit, match="another process still migrates, 1 s later"):
            upgrade()
        assert other.scalar(db.text("SELECT RELEASE_LOCK(:name)"), {"name": f"migrate {name}"}) == 1
        upgrade()
        db.engine.dispose()


def test_tables_of_mysql(mysql_url: str) -> None:
    name = make_url(mysql_url).database
    rows = select(
        mysql_url,
        "SELECT table_name, engine, table_collation FROM information_schema.tables"
        f" WHERE table_schema = '{name}' AND table_name <> 'alembic_version'",
    )
    assert {row[0] for row in rows} == {"reader", "book", "book_word", "loan", "wait"}
    assert {row[1] for row in rows} == {"InnoDB"}
    assert all(row[2].startswith("utf8mb4") for row in rows)


@contextmanager
def user_with(rights: str, url: str) -> Iterator[str]:
    """The URL of the database for a user of its own who has these rights and no other."""
    name, password = f"perpustakaan_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    where = make_url(url)
    execute(url, f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'",
            f"GRANT {rights} ON {where.database}.* TO '{name}'@'%'")  # fmt: skip
    try:
        yield where.set(username=name, password=password).render_as_string(hide_password=False)
    finally:
        execute(url, f"DROP USER '{name}'@'%'")


def test_four_rights_are_enough(mysql_url: str) -> None:
    with user_with("SELECT, INSERT, UPDATE, DELETE", mysql_url) as url:
        app = create_app(settings_for(url))
        assert app.test_client().get("/readyz").status_code == 200
        with app.app_context():
            a, b, c = add_readers(3)
            book = books.add(book_fields(isbn="9789793062792"))
            loan = lending.borrow(book.id, a)
            assert isinstance(loan, Loan)
            assert lending.renew(loan.id).renewals == 1
            lending.borrow(book.id, b)
            lending.borrow(book.id, c)
            lending.leave_line(book.id, c)
            handed = lending.give_back(loan.id).next_loan
            assert handed is not None
            lending.give_back(handed.id)
            books.change(book.id, book_fields(title="Sang Pemimpi"))
            assert len(catalogue.search("sang").books) == 1
            books.remove(book.id)
            books.remove(books.add(book_fields()).id)
            assert len(lists.list_loans(a)) == 1
            with pytest.raises(DBAPIError, match="denied"):
                db.session.execute(db.text("CREATE TABLE more (id INT)"))
            db.session.remove()
            db.engine.dispose()


def test_health_before_the_migration(tmp_path: Path) -> None:
    app = create_app(settings_for(f"sqlite:///{tmp_path}/empty.db"))
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    with app.app_context():
        db.engine.dispose()


def test_a_writer_who_never_ends_is_a_503_and_readers_go_on(
    loguserapp: Server, sqlite_url: str, make_person: Callable[..., Person]
) -> None:
    person = make_person()
    app = create_app(settings_for(sqlite_url, LOGUSERAPP_URL=loguserapp.url))
    client = app.test_client()
    with app.app_context():
        book = books.add(book_fields())
    assert client.get("/api/me", headers=person.bearer).status_code == 200
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    answer = client.post(f"/api/books/{book.id}/loans", headers=person.bearer)
    assert answer.status_code == 503
    assert answer.get_json()["code"] == "service_unavailable"
    assert answer.headers["Retry-After"]
    assert LOCK_TIMEOUT - 1 < time.monotonic() - began < LOCK_TIMEOUT + 3
    assert client.get("/api/books").status_code == 200
    other.execute("ROLLBACK")
    other.close()
    again = client.post(f"/api/books/{book.id}/loans", headers=person.bearer)
    assert again.status_code == 201
    with app.app_context():
        db.engine.dispose()


class Cable:
    """A connection to a database server that can be cut, plugged in again, or go silent."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self.is_cut = False
        self.flows = threading.Event()
        self.flows.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def close(self) -> None:
        self.flows.set()
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.is_cut:
                    near.close()
                    continue
                far = socket.create_connection(self._to)
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self.flows.wait()
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cable(mysql_url: str) -> Iterator[Cable]:
    where = make_url(mysql_url)
    made = Cable(where.host or "127.0.0.1", where.port or 3306)
    yield made
    made.close()


def test_mysql_away_and_back(
    cable: Cable, mysql_url: str, loguserapp: Server, make_person: Callable[..., Person]
) -> None:
    through = make_url(mysql_url).set(host="127.0.0.1", port=cable.port)
    url = through.render_as_string(hide_password=False)
    app = create_app(settings_for(url, LOGUSERAPP_URL=loguserapp.url))
    client, person = app.test_client(), make_person()
    assert client.get("/api/me", headers=person.bearer).status_code == 200
    assert client.get("/readyz").status_code == 200

    cable.cut()
    for path in ("/api/books", "/api/books/1", "/api/me", "/readyz"):
        answer = client.get(path, headers=person.bearer)
        assert answer.status_code == 503, path
        assert answer.get_json()["code"] == "service_unavailable"
        assert answer.headers["Retry-After"]
        assert answer.content_type == "application/problem+json"
        assert "pymysql" not in answer.text
    # What needs no database still answers.
    assert client.get("/healthz").status_code == 200
    assert client.get("/openapi.json").status_code == 200
    assert client.get("/api/me").status_code == 401

    cable.is_cut = False
    assert client.get("/readyz").status_code == 200
    assert client.get("/api/me", headers=person.bearer).status_code == 200

    cable.flows.clear()  # the server lives, but says nothing
    began = time.monotonic()
    assert client.get("/api/books").status_code == 503
    # The statement on the old connection and the greeting on a new one each run into the time-out.
    assert time.monotonic() - began < 2 * (LOCK_TIMEOUT + 1) + 3
    cable.flows.set()
    assert client.get("/api/books").status_code == 200
    with app.app_context():
        db.engine.dispose()
