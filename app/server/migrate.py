"""Database migrations: `python -m app.server.migrate`, or at the start of the server."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from app.config import ConfigError
from app.core.database import cause
from app.core.migrations import bind_flask_migrate, is_behind, revision
from app.extensions import db


def main() -> None:
    """Migrate and exit, so that the service's own database user needs no DDL privilege."""
    with exit_with_reason(), create_app().app_context():
        apply_pending_migrations()


@contextmanager
def exit_with_reason() -> Iterator[None]:
    """Exit with one line that says why the start failed."""
    try:
        yield
    except (ConfigError, OSError) as error:
        sys.exit(f"loguserapp: {error}")
    except SQLAlchemyError as error:
        sys.exit(f"loguserapp: the database at DATABASE_URL cannot be used: {cause(error)}")


def apply_pending_migrations() -> None:
    """Apply pending migrations. With none pending, no DDL privilege is needed."""
    with db.engine.connect() as connection:
        behind = is_behind(connection)
    db.engine.dispose()  # the server forks next, and processes must not share a connection
    if behind:
        # In a child process, so that Alembic does not stay in the server's memory.
        process = multiprocessing.get_context("fork").Process(target=_migrate)
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


def _migrate() -> None:
    from flask_migrate import upgrade

    bind_flask_migrate(current_app)
    try:
        upgrade()
    except SQLAlchemyError as error:
        with db.engine.connect() as connection:
            stand = revision(connection)
        sys.exit(
            f"loguserapp: the migration after {stand or 'none'} failed, every row is kept: "
            f"{cause(error)}"
        )


if __name__ == "__main__":
    main()
