"""How Alembic reaches the database: with settings of its own, for a migration may take long."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.engine import make_url

from app.config import settings
from app.models import Base

# How long to wait for another who migrates the same database.
_PATIENCE_SECONDS = 60


def run() -> None:
    """Migrate, or print the SQL that would."""
    url = make_url(settings().database_url)
    if context.is_offline_mode():
        context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    sqlite = url.get_backend_name() == "sqlite"
    waiting = {"timeout": _PATIENCE_SECONDS} if sqlite else {"connect_timeout": 5}
    engine = create_engine(url, poolclass=pool.NullPool, connect_args=waiting, hide_parameters=True)
    with engine.connect() as connection:
        _take_turn(connection)
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            # All of them in one makes others wait who start meanwhile; MySQL commits each anyway.
            transaction_per_migration=not sqlite,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


def _take_turn(connection: Connection) -> None:
    """Wait for the end of other migrations of this database.

    On SQLite the transaction holds the lock, on MySQL the connection.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(text("SELECT 1").execution_options(write_lock=True))
        return
    name = f"migrate {connection.engine.url.database}"[:64]  # all that MySQL allows
    seconds = _PATIENCE_SECONDS
    connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), {"name": name, "seconds": seconds})
    connection.commit()


run()
