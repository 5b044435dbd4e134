"""A storage of the library `limits` in the database, which all workers of all replicas share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from limits.storage import Storage
from sqlalchemy import Connection, Engine, case, delete, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from app.models import Counter, utcnow


class DatabaseStorage(Storage):
    """Counters of fixed windows.

    Each change is one statement on one row, so parallel requests count one after the other.
    """

    STORAGE_SCHEME = None  # made here, never from an address

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    @property
    def base_exceptions(self) -> type[Exception]:
        """What an unreachable storage raises."""
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter, which ends `expiry` seconds after it began, and return its value."""
        now = utcnow()
        end = now + timedelta(seconds=expiry)
        with self._engine.begin() as connection:
            connection.execute(_upsert(connection, key, amount, now, end))
            return int(connection.scalar(select(Counter.value).where(Counter.name == key)) or 0)

    def get(self, key: str) -> int:
        """Return a counter's value, 0 where there is none or its time is over."""
        living = (Counter.name == key) & (Counter.expires_at > utcnow())
        with self._engine.connect() as connection:
            return connection.scalar(select(Counter.value).where(living)) or 0

    def get_expiry(self, key: str) -> float:
        """Return the Unix time at which a counter ends, now where there is none."""
        with self._engine.connect() as connection:
            end = connection.scalar(select(Counter.expires_at).where(Counter.name == key))
        return (end or utcnow()).replace(tzinfo=UTC).timestamp()

    def check(self) -> bool:
        """Tell whether the database answers."""
        try:
            self.get("")
        except SQLAlchemyError:
            return False
        return True

    def reset(self) -> int | None:
        """Delete every counter."""
        with self._engine.begin() as connection:
            return connection.execute(delete(Counter)).rowcount

    def clear(self, key: str) -> None:
        """Delete one counter."""
        with self._engine.begin() as connection:
            connection.execute(delete(Counter).where(Counter.name == key))

    def clear_all(self, begin: str) -> int:
        """Delete the counters whose names begin with this, and return how many."""
        named = Counter.name.startswith(begin, autoescape=True)
        with self._engine.begin() as connection:
            return connection.execute(delete(Counter).where(named)).rowcount


def _upsert(connection: Connection, key: str, amount: int, now: datetime, end: datetime) -> Any:
    over = Counter.expires_at <= now
    values = {"name": key, "value": amount, "expires_at": end}
    # In this order: MySQL assigns from left to right, and the first looks at the second.
    renewed = [
        ("value", case((over, amount), else_=Counter.value + amount)),
        ("expires_at", case((over, end), else_=Counter.expires_at)),
    ]
    if connection.dialect.name == "sqlite":
        statement = sqlite.insert(Counter).values(values)
        return statement.on_conflict_do_update(index_elements=[Counter.name], set_=dict(renewed))
    return mysql.insert(Counter).values(values).on_duplicate_key_update(renewed)
