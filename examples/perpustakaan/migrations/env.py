"""How Alembic reaches the database: with the application's own connection settings."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import text

from perpustakaan import models  # noqa: F401 - the tables
from perpustakaan.database import Base, db

_PATIENCE_SECONDS = 60


def run() -> None:
    """Migrate; two processes that start at the same moment do so one after the other."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("SELECT 1").execution_options(write_lock=True))
        else:
            name = f"migrate {connection.engine.url.database}"[:64]  # all that MySQL allows
            asked = {"name": name, "seconds": _PATIENCE_SECONDS}
            connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), asked)
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_server_default=True,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
