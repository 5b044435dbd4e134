"""SQLite: connection set-up, and when a transaction starts.

A transaction begins (beginning.py) with `BEGIN IMMEDIATE`, which takes the write lock at once: one
that reads first and upgrades later fails if another has written in between (SQLITE_BUSY_SNAPSHOT),
however long it waits.

Writers are queued. SQLite's own busy handler polls with growing sleeps of up to 100 ms, so that new
writers overtake those that have waited longest.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL, ExecutionContext

from app.core.engines.beginning import begins_transaction

# Seconds between two attempts to take the write lock from another process.
POLL_INTERVAL = 0.0002
# By database file: one writer in this process at a time, and the others wait without polling.
_write_locks: dict[str, threading.Lock] = {}


class QueuedWriteConnection(sqlite3.Connection):
    """A connection whose write transactions are queued, one queue per database and process.

    Args:
        database: the file.
        timeout: seconds to wait for the write lock.
        options: further arguments of `sqlite3.connect`.

    """

    def __init__(self, database: str, timeout: float = 5.0, **options: Any) -> None:
        _create_private(database)
        super().__init__(database, timeout=timeout, **options)
        self._timeout = timeout
        self._write_lock = _write_locks.setdefault(database, threading.Lock())
        self._writing = False
        self.isolation_level = None  # the driver starts no transaction: `begin_immediate` does
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA foreign_keys = ON")

    def begin_immediate(self) -> None:
        """Start a transaction with the write lock, unless one is open.

        Raises:
            sqlite3.OperationalError: another connection held the lock for the whole time-out.

        """
        if self.in_transaction:
            return
        deadline = time.monotonic() + self._timeout
        if not self._writing:
            self._wait_in_queue()
        try:
            self._poll(deadline)
        except BaseException:
            self._release()
            raise

    def commit(self) -> None:
        """Commit, and let the next writer of this process go on."""
        super().commit()
        self._release()

    def rollback(self) -> None:
        """Roll back, and let the next writer of this process go on."""
        try:
            super().rollback()
        finally:
            self._release()

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        try:
            super().close()
        finally:
            self._release()

    def _wait_in_queue(self) -> None:
        if not self._write_lock.acquire(blocking=False):
            if not self._write_lock.acquire(timeout=self._timeout):
                raise sqlite3.OperationalError("database is locked")
            # The writer before was of this process: let another process, which polls, go first.
            time.sleep(POLL_INTERVAL)
        self._writing = True

    def _poll(self, deadline: float) -> None:
        """Start the transaction as soon as no other process has the lock."""
        self.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    self.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
                    if not busy or time.monotonic() > deadline:
                        raise
                    time.sleep(POLL_INTERVAL)
                else:
                    return
        finally:
            self.execute(f"PRAGMA busy_timeout = {self._timeout * 1000:.0f}")

    def _release(self) -> None:
        if self._writing:
            self._writing = False
            self._write_lock.release()


def database_file(url: URL) -> Path | None:
    """The file of a SQLite database; None for one in memory, or of another kind."""
    name = url.database or ""
    if url.get_backend_name() != "sqlite" or name in {"", ":memory:"}:
        return None
    return Path(name.removeprefix("file:"))


def _create_private(database: str) -> None:
    """Create the file for the owner alone; SQLite gives the files beside it the same mode."""
    with suppress(OSError):  # no file, or one that SQLite itself will say more about
        if database not in {"", ":memory:"}:
            Path(database).touch(mode=0o600, exist_ok=False)


@event.listens_for(SQLiteDialect_pysqlite, "do_connect")
def _use_queued_writes(_dialect: Any, _record: Any, _args: Any, options: dict[str, Any]) -> None:
    options.setdefault("factory", QueuedWriteConnection)


@event.listens_for(SQLiteDialect_pysqlite, "do_execute")
@event.listens_for(SQLiteDialect_pysqlite, "do_executemany")
def _begin(cursor: sqlite3.Cursor, statement: str, _values: Any, context: ExecutionContext) -> None:
    connection = cursor.connection
    if isinstance(connection, QueuedWriteConnection) and begins_transaction(statement, context):
        connection.begin_immediate()
