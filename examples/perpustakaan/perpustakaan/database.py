"""The database: one transaction for each operation, on SQLite and on MySQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import Engine, MetaData, event
from sqlalchemy.engine import Connection, ExecutionContext
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """What every table has: constraints with names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})
migrate = Migrate(compare_type=True, render_as_batch=False)
csrf = CSRFProtect()

_MYSQL_DEADLOCK = 1213  # ER_LOCK_DEADLOCK
# Statements that only read, and start no transaction on SQLite unless they are to lock.
_READING = ("SELECT", "PRAGMA", "EXPLAIN", "WITH")


def utc_now() -> datetime:
    """The time in UTC, without a zone and to the second, as the tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


@contextmanager
def transaction() -> Iterator[None]:
    """Commit at the end, and roll back if anything is raised.

    What was read before in `db.session` ends first, so that locks are taken in a transaction
    that has read nothing.
    """
    db.session.rollback()
    try:
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def lost_race(error: DBAPIError) -> bool:
    """Tell whether a transaction failed because of another one, and may succeed if repeated."""
    number = error.orig.args[0] if error.orig and error.orig.args else None
    return isinstance(error, IntegrityError) or number == _MYSQL_DEADLOCK


@event.listens_for(Engine, "connect")
def _set_up_sqlite(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None  # `_begin_immediate` begins, not the driver
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")


@event.listens_for(Engine, "before_cursor_execute")
def _begin_immediate(
    connection: Connection,
    cursor: Any,
    statement: str,
    _parameters: object,
    context: ExecutionContext | None,
    _many: bool,
) -> None:
    """On SQLite, take the write lock at the first statement that writes or locks.

    A transaction that reads first and writes later fails if another wrote in between, however
    long it would wait (SQLITE_BUSY_SNAPSHOT).
    """
    if connection.dialect.name != "sqlite" or cursor.connection.in_transaction:
        return
    to_lock = context is not None and context.execution_options.get("write_lock", False)
    if to_lock or not statement.lstrip().upper().startswith(_READING):
        cursor.execute("BEGIN IMMEDIATE")
