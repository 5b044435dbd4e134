"""The declarative base: constraint names, collation, time."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

# Strings compare by bytes, as on SQLite; MariaDB knows this collation too.
TABLE_OPTIONS = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
    # Ids are never reused, so that a token of a deleted account never matches another one.
    "sqlite_autoincrement": True,
}


class Base(DeclarativeBase):
    """The declarative base, which names every constraint."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
        }
    )


def utcnow() -> datetime:
    """The current time in UTC, naive and in whole seconds, as the tables store it."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)
