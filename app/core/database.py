"""Transactions: conditional statements, unique constraints by name, locks, retries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, Executable, UniqueConstraint, delete, select
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import db
from app.models import Base, User

T = TypeVar("T")

BATCH_ROWS = 1000
_MYSQL_DUPLICATE_ENTRY = 1062  # ER_DUP_ENTRY


def cause(error: SQLAlchemyError) -> str:
    """The first line of what the driver says, for an operator; SQLAlchemy's own lines hold SQL."""
    return str(getattr(error, "orig", error)).splitlines()[0]


def updated_rows(statement: Executable) -> int:
    """Execute an UPDATE or DELETE and return how many rows it matched."""
    options = {"synchronize_session": False}
    done = db.session.execute(statement, execution_options=options)
    return cast("CursorResult[tuple[()]]", done).rowcount


def updated_one(statement: Executable) -> bool:
    """Execute a conditional UPDATE or DELETE and tell whether it matched its one row."""
    return updated_rows(statement) == 1


def delete_in_batches(key: InstrumentedAttribute[Any], *where: ColumnElement[bool]) -> int:
    """Delete rows, `BATCH_ROWS` in a transaction, and return how many.

    One pass over the table in the order of its primary key. Each transaction locks only rows that
    it deletes, and for milliseconds, so that requests in between do not wait.

    Args:
        key: the primary key.
        where: which rows.

    """
    count, last = 0, None
    while True:
        found = select(key).where(*where).order_by(key).limit(BATCH_ROWS)
        keys = db.session.scalars(found if last is None else found.where(key > last)).all()
        db.session.rollback()
        if not keys:
            return count
        # The condition once more: a counter may have begun again meanwhile.
        count += updated_rows(delete(key.class_).where(key.in_(keys), *where))
        db.session.commit()
        last = keys[-1]


def lock_user(user_id: int) -> User | None:
    """Lock an account's row until the end of the transaction and return its latest state.

    Every transaction that changes an account or its sessions locks the account's row first and the
    session rows second, so that no two of them can deadlock.
    """
    statement = select(User).where(User.id == user_id).with_for_update()
    options = {"populate_existing": True, "write_lock": True}
    return db.session.scalars(statement, execution_options=options).one_or_none()


def release_connection() -> None:
    """End a transaction that has only read, and give its connection back to the pool.

    Call it before every slow step: reading a body, hashing, asking a provider, a prompt.

    Raises:
        RuntimeError: the transaction has changes that would be lost.

    """
    if not db.session.registry.has():
        return
    if db.session.new or db.session.dirty or db.session.deleted:
        raise RuntimeError("a slow step begins inside a transaction that has changes")
    db.session.close()


def retry_once_on_disconnect(operation: Callable[[], T]) -> T:
    """Run an operation, and once more if the connection to the database is lost meanwhile.

    Args:
        operation: what runs statements in `db.session`, its commit included. It must be
            idempotent: a commit whose answer was lost may have happened.

    Returns:
        What the operation returns.

    Raises:
        DBAPIError: another failure, or the connection was lost twice.

    """
    try:
        return operation()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        db.session.rollback()
    return operation()


def violated_unique(error: IntegrityError) -> str | None:
    """Return the exact name of the unique constraint that an INSERT or UPDATE violated.

    None where the error is another one, such as a foreign key whose row is gone.
    """
    original: Any = error.orig
    if isinstance(original, sqlite3.IntegrityError):
        if original.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            return None
        # UNIQUE constraint failed: user.email_key
        return _constraint_of(str(original).rpartition(": ")[2].split(", "))
    if original.args[0] != _MYSQL_DUPLICATE_ENTRY:
        return None
    # Duplicate entry '…' for key 'user.uq_user_email_key'; MariaDB names no table. What a client
    # sent stands before " for key ", so that the last one counts.
    return str(original.args[1]).rpartition(" for key ")[2].strip("'").rpartition(".")[2]


def _constraint_of(columns: list[str]) -> str | None:
    for table in Base.metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint):
                names = [f"{table.name}.{column.name}" for column in constraint.columns]
                if names == columns:
                    return str(constraint.name)
    return None
