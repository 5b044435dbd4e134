"""How Alembic reaches the database: with time-outs of its own, for a migration may take long."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import NullPool, create_engine, text

from perpustakaan import models  # noqa: F401 - the tables
from perpustakaan.database import Base, db

# Seconds to wait for the database and for another process that migrates.
_PATIENCE = 60


def run() -> None:
    """Migrate; two processes that start at the same moment do so one after the other."""
    url = db.engine.url
    options = {"timeout" if url.get_backend_name() == "sqlite" else "connect_timeout": _PATIENCE}
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("SELECT 1").execution_options(write_lock=True))
        else:
            name = f"migrate {url.database}"[:64]  # all that MySQL allows
            asked = {"name": name, "seconds": _PATIENCE}
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
