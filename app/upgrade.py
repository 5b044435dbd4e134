"""Bringing the tables up to date: by itself as `python -m app.upgrade`, or as the server starts."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from app.config import ConfigError
from app.extensions import db

_MIGRATIONS = Path(__file__).parent.parent / "migrations"


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
    if behind:
        # In a process of its own: what Alembic loads would stay in the server's memory.
        process = multiprocessing.get_context("fork").Process(target=_migrate)
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


def is_behind(connection: Connection) -> bool:
    """Tell whether the database lacks a migration that this program has.

    One that has migrations unknown here was brought up to date by a newer version, beside which
    this one goes on serving until it is replaced.
    """
    found = _revision(connection)
    known = revisions()
    return found is None or (found in known and found != known[-1])


def revisions() -> list[str]:
    """The migrations that this program has, in order: each file's name begins with its own."""
    return sorted(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def bind_flask_migrate(app: Flask) -> None:
    """Give an application what its migrations and `flask db` need.

    Only where they are about to run: a worker never migrates, and is 10 MB smaller for it.
    """
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(_MIGRATIONS))


def _migrate() -> None:
    from flask_migrate import upgrade

    bind_flask_migrate(current_app)
    try:
        upgrade()
    except SQLAlchemyError as error:
        with db.engine.connect() as connection:
            stand = _revision(connection)
        sys.exit(
            f"loguserapp: the migration after {stand or 'none'} failed, every row is kept: "
            f"{_cause(error)}"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _cause(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", error)).splitlines()[0]


if __name__ == "__main__":
    main()
