"""SQLite's transactions: what takes the write lock, who waits for it, and when it is released."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, Executable, column, create_engine, select, table, text
from sqlalchemy.exc import OperationalError

from app.core.engines.sqlite import QueuedWriteConnection
from app.core.silent_connections import close_silent_connections

COUNTER = table("counter", column("id"), column("value"))
READ = select(COUNTER.c.value).where(COUNTER.c.id == 1)
LOCKING = READ.execution_options(write_lock=True)
ADD = text("UPDATE counter SET value = value + 1 WHERE id = 1")
TIMES = 200


def open_engine(path: Path, timeout: float) -> Engine:
    return create_engine(f"sqlite:///{path}", connect_args={"timeout": timeout})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "counter.db"
    engine = open_engine(path, 5)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (1, 0)"))
    engine.dispose()
    return path


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    """An engine whose writers wait for a short while only, so that a test sees them blocked."""
    engine = open_engine(path, 0.1)
    yield engine
    engine.dispose()


@pytest.fixture
def two(engine: Engine) -> Iterator[tuple[Connection, Connection]]:
    with engine.connect() as one, engine.connect() as other:
        yield one, other


def elsewhere(path: Path) -> sqlite3.Connection:
    """A connection of a program that knows nothing of the queue in this process."""
    return sqlite3.connect(path, timeout=0.1, isolation_level=None)


def assert_free(path: Path) -> None:
    """The write lock is free, in the file and in this process."""
    other = elsewhere(path)
    other.execute("BEGIN IMMEDIATE")
    other.close()
    engine = open_engine(path, 0.1)
    with engine.begin() as connection:
        connection.execute(ADD)
    engine.dispose()


def test_a_reader_neither_waits_for_a_writer_nor_blocks_one(
    two: tuple[Connection, Connection],
) -> None:
    reader, writer = two
    assert reader.scalar(READ) == 0
    writer.execute(ADD)
    assert reader.scalar(READ) == 0
    writer.commit()
    assert reader.scalar(READ) == 1  # the same SQLAlchemy transaction sees the latest commit


def test_a_read_starts_no_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(READ)
        connection.execute(text("PRAGMA user_version"))
        driver = connection.connection.driver_connection
        assert isinstance(driver, QueuedWriteConnection)
        assert not driver.in_transaction


@pytest.mark.parametrize(
    "statement",
    [
        LOCKING,
        READ.with_for_update(),
        ADD,
        text("  insert into counter values (2, 0)"),
        COUNTER.delete(),
        text("CREATE TABLE other (id INTEGER)"),
        text("WITH old AS (SELECT 1) DELETE FROM counter"),
    ],
    ids=str,
)
def test_a_statement_that_writes_or_locks_holds_the_write_lock(
    two: tuple[Connection, Connection], path: Path, statement: Executable
) -> None:
    one, other = two
    one.execute(statement)
    with pytest.raises(OperationalError, match="database is locked"):
        other.execute(ADD)
    with (
        closing(elsewhere(path)) as third,
        pytest.raises(sqlite3.OperationalError, match="database is locked"),
    ):
        third.execute("BEGIN IMMEDIATE")


def test_a_list_of_rows_is_written_in_one_transaction(two: tuple[Connection, Connection]) -> None:
    one, other = two
    rows = [{"id": number} for number in range(2, 5)]
    one.execute(text("INSERT INTO counter VALUES (:id, 0)"), rows)
    assert len(other.scalars(select(COUNTER)).all()) == 1
    one.rollback()
    assert len(other.scalars(select(COUNTER)).all()) == 1


def test_a_savepoint_holds_the_write_lock(two: tuple[Connection, Connection]) -> None:
    one, other = two
    with one.begin_nested():
        one.execute(READ)
        with pytest.raises(OperationalError, match="database is locked"):
            other.execute(ADD)


@pytest.mark.parametrize("end", ["commit", "rollback", "close", "invalidate", "detach"])
def test_the_end_of_a_transaction_releases_the_write_lock(
    engine: Engine, path: Path, end: str
) -> None:
    connection = engine.connect()
    connection.execute(ADD)
    getattr(connection, end)()
    connection.close()
    assert_free(path)


def test_a_failed_statement_releases_the_write_lock_with_its_transaction(
    engine: Engine, path: Path
) -> None:
    with engine.connect() as connection, pytest.raises(OperationalError, match="no such table"):
        connection.execute(text("DELETE FROM nowhere"))
    assert_free(path)


def test_a_writer_that_gave_up_leaves_the_write_lock_to_others(engine: Engine, path: Path) -> None:
    other = elsewhere(path)
    other.execute("BEGIN IMMEDIATE")
    with engine.connect() as connection:
        with pytest.raises(OperationalError, match="database is locked"):
            connection.execute(ADD)
        other.close()
        connection.execute(ADD)
        connection.commit()
    assert_free(path)


def count_up(path: Path, threads: int) -> None:
    """Let threads read the counter, add one, and write what they came to."""
    engine = open_engine(path, 30)

    def count() -> None:
        for _ in range(TIMES):
            with engine.begin() as connection:
                value = connection.execute(LOCKING).scalar_one()
                connection.execute(COUNTER.update().values(value=value + 1))

    counting = [threading.Thread(target=count) for _ in range(threads)]
    for thread in counting:
        thread.start()
    for thread in counting:
        thread.join()
    engine.dispose()


@pytest.mark.system
@pytest.mark.parametrize(("processes", "threads"), [(1, 2), (2, 1), (2, 2)])
def test_no_update_is_lost(engine: Engine, path: Path, processes: int, threads: int) -> None:
    fresh = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        for _ in range(processes):
            process = fresh.Process(target=count_up, args=(path, threads))
            process.start()
            stack.callback(process.join)
    with engine.connect() as connection:
        assert connection.scalar(READ) == processes * threads * TIMES


def test_a_commit_is_on_the_disk_when_it_is_acknowledged(engine: Engine) -> None:
    full = 2
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == full
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the sweep reads /proc")
def test_the_sweep_over_silent_connections_leaves_the_write_lock(tmp_path: Path) -> None:
    """Closing a descriptor of the file, even a copy, would end the locks of the whole process."""
    file = tmp_path / "locked.db"
    with closing(sqlite3.connect(file, factory=QueuedWriteConnection)) as writer:
        writer.execute("CREATE TABLE t (x)")
        writer.begin_immediate()
        close_silent_connections(5000)
        code = (
            f"import sqlite3; sqlite3.connect({str(file)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
        )
        other = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True
        )
    assert "database is locked" in other.stderr
