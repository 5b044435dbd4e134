"""Bringing the tables up to date: by itself as `python -m app.upgrade`, or as the server starts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import upgrade
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.config import ConfigError
from app.extensions import db


def main() -> None:
    """Migrate and end; the service's user then needs no right to change tables."""
    # Imported late because the application itself asks here whether its tables are up to date.
    from app import create_app

    with saying_why(), create_app().app_context():
        bring_up_to_date()


@contextmanager
def saying_why() -> Iterator[None]:
    """Let whatever stops a start be said in one line."""
    try:
        yield
    except (ConfigError, OSError) as error:
        sys.exit(f"loguserapp: {error}")
    except SQLAlchemyError as error:
        sys.exit(f"loguserapp: the database at DATABASE_URL cannot be used: {_cause(error)}")


def bring_up_to_date() -> None:
    """Run the migrations that the database lacks, which takes no right where it lacks none."""
    with db.engine.connect() as connection:
        behind = is_behind(connection)
    db.engine.dispose()  # a server forks now, and a connection has one owner
    if not behind:
        return
    try:
        upgrade()
    except SQLAlchemyError as error:
        with db.engine.connect() as connection:
            stand = MigrationContext.configure(connection).get_current_revision()
        sys.exit(
            f"loguserapp: the migration after {stand or 'none'} failed, every row is kept: "
            f"{_cause(error)}"
        )


def is_behind(connection: Connection) -> bool:
    """Tell whether the database lacks a migration that this program has.

    One that has migrations unknown here was brought up to date by a newer version, beside which
    this one goes on serving until it is replaced.
    """
    scripts = ScriptDirectory(current_app.extensions["migrate"].directory)
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    return found is None or (found in known and found != scripts.get_current_head())


def _cause(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", error)).splitlines()[0]


if __name__ == "__main__":
    main()
