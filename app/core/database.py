"""Transactions: repeated where that is safe; conditional statements, constraints, locks."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Set
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Executable,
    UniqueConstraint,
    delete,
    literal_column,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute

from app.core.engines.failures import Outcome, outcome_of
from app.extensions import db
from app.models import Base, User

P = ParamSpec("P")
T = TypeVar("T")

BATCH_ROWS = 1000
ATTEMPTS = 3
# Seconds after which nothing is repeated: a request must fail within five, and a statement that is
# not answered takes two.
_PATIENCE = 1.5
# Seconds at most before a repetition, so that two transactions that met do not meet again.
_PAUSE = 0.05
_within_transaction = ContextVar("within a transaction", default=False)
_MYSQL_DUPLICATE_ENTRY = 1062  # ER_DUP_ENTRY


def transaction(*, idempotent: bool = False) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function, which begins no transaction before and commits at its end, repeatable.

    It runs again where the database undid what it did: a deadlock, a connection that was lost
    before the commit, a server that is no writer any more. What it does beside the database it
    does after the commit. Called by another such function it is a part of that one's transaction.

    Args:
        idempotent: whether it may run again also if it may have been committed, since the answer
            to the commit was lost. Running twice must then do, and return, the same as once.

    Returns:
        The decorator. What it makes raises what the function raises; a `DBAPIError` if the last
        attempt failed as well, or if repeating is not safe; and a `RuntimeError` if a transaction
        is open that began outside, of which a repetition would lose the beginning.

    """
    repeated = {Outcome.ROLLED_BACK, Outcome.UNKNOWN} if idempotent else {Outcome.ROLLED_BACK}

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            if _within_transaction.get():
                return function(*args, **kwargs)
            if _is_open():
                raise RuntimeError("a transaction is open already")
            entered = _within_transaction.set(True)
            try:
                return _repeat(lambda: function(*args, **kwargs), repeated)
            finally:
                _within_transaction.reset(entered)

        return run

    return decorate


def _repeat(operation: Callable[[], T], outcomes: Set[Outcome]) -> T:
    """Call an operation, and again after a failure with one of these outcomes."""
    deadline = time.monotonic() + _PATIENCE
    for _ in range(ATTEMPTS - 1):
        try:
            return operation()
        except DBAPIError as error:
            if outcome_of(error) not in outcomes or time.monotonic() > deadline:
                raise
            db.session.rollback()
        time.sleep(random.uniform(0, _PAUSE))  # noqa: S311 - nothing secret
    return operation()


def _is_open() -> bool:
    """Whether the session has a transaction of the database open; reads alone open none."""
    if not db.session.registry.has():  # asking would make one
        return False
    session = db.session()
    if not session.in_transaction():
        return False
    if session.new or session.dirty or session.deleted:
        return True
    connection = session.connection().connection.driver_connection
    return bool(getattr(connection, "in_transaction", False))


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


def may_be_behind(connection: Connection) -> ColumnElement[int]:
    """A column: whether the server takes no writes, and so may lack the latest ones of another."""
    return literal_column("0" if connection.dialect.name == "sqlite" else "@@global.read_only")


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
