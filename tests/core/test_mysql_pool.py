"""The pool of connections to MySQL: which round trips it makes, and what it survives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, text
from sqlalchemy import select as select_rows
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import QueuePool

import app.core.engines.mysql_pool
from app.extensions import db
from app.models import Counter
from tests.support.databases import execute, select

ADD = "INSERT INTO counter (name, value, expires_at) VALUES ('a', 1, '2099-01-01')"


@pytest.fixture
def application(
    mysql_migrated: str, request: pytest.FixtureRequest, tmp_path: Any
) -> Iterator[Flask]:
    from app import create_app
    from tests.support.application import close
    from tests.support.databases import make_config

    execute(mysql_migrated, "DELETE FROM counter")
    made = create_app(make_config(mysql_migrated, tmp_path / "instance"))
    with made.app_context():
        yield made
    close(made)
    execute(mysql_migrated, "DELETE FROM counter")


@pytest.fixture
def engine(application: Flask) -> Engine:
    return db.engine


def number_of(connection: Connection) -> int:
    found: int = connection.scalar(text("SELECT CONNECTION_ID()"))
    return found


def counted(connection: Connection, name: str) -> int:
    """A counter that the server keeps of this connection's commands."""
    shown = connection.execute(text(f"SHOW SESSION STATUS LIKE '{name}'"))
    return int(shown.one()[1])


def kill(url: str, number: int) -> None:
    execute(url, f"KILL {number}")


def test_a_committed_connection_is_neither_pinged_nor_rolled_back(engine: Engine) -> None:
    with engine.connect() as connection:
        number = number_of(connection)
        pings = counted(connection, "Com_admin_commands")
        rollbacks = counted(connection, "Com_rollback")
        connection.commit()
    for _ in range(5):
        with engine.connect() as connection:
            connection.execute(text("UPDATE counter SET value = 1"))
            connection.commit()
    with engine.connect() as connection:
        assert number_of(connection) == number
        assert counted(connection, "Com_admin_commands") == pings
        assert counted(connection, "Com_rollback") == rollbacks


def sent(engine: Engine, use: Callable[[Connection], object]) -> dict[str, int]:
    """How many statements of each kind the use of a connection sends, where it sends any."""
    names = ("begin", "commit", "rollback", "savepoint", "select", "insert", "update")
    with engine.connect() as connection:
        number = number_of(connection)
        before = {name: counted(connection, f"Com_{name}") for name in names}
    with engine.connect() as connection:
        assert number_of(connection) == number
        use(connection)
    with engine.connect() as connection:
        after = {name: counted(connection, f"Com_{name}") for name in names}
    after["select"] -= 1  # the number of the connection
    return {name: after[name] - before[name] for name in names if after[name] > before[name]}


SELECT, UPDATE = text("SELECT * FROM counter"), text("UPDATE counter SET value = value + 1")


def read(connection: Connection) -> None:
    connection.execute(SELECT)
    connection.commit()


def read_and_write(connection: Connection) -> None:
    connection.execute(SELECT)
    connection.execute(text(ADD))
    connection.execute(UPDATE)
    connection.commit()


def write_in_savepoint(connection: Connection) -> None:
    with connection.begin_nested():
        connection.execute(UPDATE)
    connection.commit()


def lock_and_leave(connection: Connection) -> None:
    connection.execute(select_rows(Counter.value).with_for_update())


def fail_and_write(connection: Connection) -> None:
    with pytest.raises(DBAPIError):
        connection.execute(text("SELECT * FROM no_such_table"))
    connection.execute(UPDATE)
    connection.rollback()


def write_alone(connection: Connection) -> None:
    connection.execute(UPDATE.execution_options(whole_transaction=True))
    connection.commit()


@pytest.mark.parametrize(
    ("use", "statements"),
    [
        (read, {"select": 1}),
        (read_and_write, {"select": 1, "begin": 1, "insert": 1, "update": 1, "commit": 1}),
        (write_in_savepoint, {"begin": 1, "savepoint": 1, "update": 1, "commit": 1}),
        (lock_and_leave, {"begin": 1, "select": 1, "rollback": 1}),
        (fail_and_write, {"select": 1, "begin": 1, "update": 1, "rollback": 1}),
        (write_alone, {"update": 1}),
    ],
)
def test_a_transaction_begins_with_its_first_statement_that_writes_or_locks(
    engine: Engine, use: Callable[[Connection], object], statements: dict[str, int]
) -> None:
    assert sent(engine, use) == statements


def test_a_statement_that_is_a_whole_transaction_is_committed(
    engine: Engine, mysql_migrated: str
) -> None:
    with engine.connect() as connection:
        connection.execute(text(ADD).execution_options(whole_transaction=True))
        assert len(select(mysql_migrated, "SELECT * FROM counter")) == 1
        connection.rollback()
    assert len(select(mysql_migrated, "SELECT * FROM counter")) == 1


def leave_open(engine: Engine) -> None:
    connection = engine.raw_connection()
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    cursor.execute(ADD)
    connection.close()


def leave_failed(engine: Engine) -> None:
    """An INSERT that meets a duplicate keeps a lock on the row, and its answer is an error."""
    with engine.begin() as connection:
        connection.execute(text(ADD))
    raw = engine.raw_connection()
    with pytest.raises(Exception, match="Duplicate"):
        raw.cursor().execute(ADD)
    raw.close()
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM counter"))


def leave_by_exception(engine: Engine) -> None:
    def fail() -> None:
        with engine.connect() as connection:
            connection.execute(text(ADD))
            connection.execute(text(ADD))

    with pytest.raises(IntegrityError):
        fail()


@pytest.mark.parametrize("leave", [leave_open, leave_failed, leave_by_exception])
def test_what_is_open_is_rolled_back(
    engine: Engine, mysql_migrated: str, leave: Callable[[Engine], None]
) -> None:
    leave(engine)
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedin() == 1
    assert select(mysql_migrated, "SELECT * FROM counter") == []
    lock = "SELECT * FROM counter WHERE name = 'a' FOR UPDATE NOWAIT"
    assert select(mysql_migrated, lock) == []


def test_a_connection_that_cannot_roll_back_is_replaced(
    engine: Engine, mysql_migrated: str
) -> None:
    """The end of a request rolls back; it must not fail where the answer was made already."""
    with engine.connect() as connection:
        broken = number_of(connection)
        connection.execute(text(ADD))
        kill(mysql_migrated, broken)
        connection.rollback()
    with engine.connect() as connection:
        assert number_of(connection) != broken
    assert select(mysql_migrated, "SELECT * FROM counter") == []


def test_an_idle_connection_that_broke_is_replaced(
    engine: Engine, mysql_migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.connect() as connection:
        broken = number_of(connection)
    kill(mysql_migrated, broken)
    monkeypatch.setattr(app.core.engines.mysql_pool, "PING_AFTER", 0)
    with engine.connect() as connection:
        assert number_of(connection) != broken


def test_an_error_holds_no_parameter(engine: Engine) -> None:
    secret = "correct horse battery"
    with engine.connect() as connection, pytest.raises(DBAPIError) as error:
        connection.execute(text("SELECT :secret FROM nowhere"), {"secret": secret})
    assert secret not in str(error.value)
