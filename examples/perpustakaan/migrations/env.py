"""How Alembic reaches the database: with time-outs of its own, for a migration may take long."""

from __future__ import annotations

import sys

from alembic import context
from flask import current_app
from sqlalchemy import NullPool, create_engine, text

from perpustakaan import models  # noqa: F401 - the tables
from perpustakaan.config import MIGRATION_TIMEOUT as PATIENCE
from perpustakaan.database import Base, db


def run() -> None:
    """Migrate; two processes that start at the same moment do so one after the other."""
    url = db.engine.url
    options = {"timeout" if url.get_backend_name() == "sqlite" else "connect_timeout": PATIENCE}
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("SELECT 1").execution_options(write_lock=True))
        else:
            name = f"migrate {url.database}"[:64]  # all that MySQL allows
            asked = {"name": name, "seconds": PATIENCE}
            got = connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), asked)
            connection.commit()
            if got != 1:
                sys.exit(f"perpustakaan: another process still migrates, {PATIENCE} s later")
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
