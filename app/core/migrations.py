"""The migrations of this version, and whether a database lacks one."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from sqlalchemy import Connection, inspect, text

from app.extensions import db

_MIGRATIONS = Path(__file__).parents[2] / "migrations"


def is_behind(connection: Connection) -> bool:
    """Tell whether the database lacks a migration of this version.

    A database with an unknown revision was migrated by a newer version; during a rolling update
    this version keeps serving beside it.
    """
    found = revision(connection)
    known = revisions()
    return found is None or (found in known and found != known[-1])


def revisions() -> list[str]:
    """The revisions of this version in order; each file's name begins with its revision."""
    return sorted(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def bind_flask_migrate(app: Flask) -> None:
    """Set up Flask-Migrate for `loguserapp db` and the migrations.

    Called only before a migration: a worker never migrates, and saves the 10 MB of Alembic.
    """
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(_MIGRATIONS))


def revision(connection: Connection) -> str | None:
    """The revision of the database, or None."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
