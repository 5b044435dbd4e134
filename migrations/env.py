"""How Alembic reaches the database: with settings of its own, for a migration may take long."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import create_engine, pool
from sqlalchemy.engine import make_url

from app.models import Base


def run() -> None:
    """Migrate, or print the SQL that would."""
    url = make_url(current_app.extensions["settings"].database_url)
    if context.is_offline_mode():
        context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    arguments = {} if url.get_backend_name() == "sqlite" else {"connect_timeout": 5}
    engine = create_engine(url, poolclass=pool.NullPool, connect_args=arguments)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
