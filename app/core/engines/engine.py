"""The options of the database engine, SQLite or MySQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import make_url

import app.core.engines.sqlite  # noqa: F401 - registers its events with SQLAlchemy

# Seconds. A request must fail within five if the database does not answer: a lost ping or statement
# plus a reconnect attempt stay below that.
_DATABASE_TIMEOUT = 2
# For a command: nobody waits for its answer, and an import must outlast a busy moment.
_COMMAND_TIMEOUT = 60


def engine_options(database_url: str, threads: int, *, for_command: bool = False) -> dict[str, Any]:
    """Return the options for SQLAlchemy's engine.

    Args:
        database_url: where the database is.
        threads: how many connections the pool keeps.
        for_command: a statement may take a minute.

    """
    patience = _COMMAND_TIMEOUT if for_command else _DATABASE_TIMEOUT
    if make_url(database_url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": patience}, "hide_parameters": True}
    # Imported here, so that a worker on SQLite does not load the MySQL driver.
    from app.core.engines.mysql_pool import CircuitBreakerPool

    return {
        "poolclass": CircuitBreakerPool,
        "pool_size": threads,
        "max_overflow": 2,
        "pool_timeout": _DATABASE_TIMEOUT,
        "pool_use_lifo": True,  # keeps few connections busy, so that few need a ping
        "pool_reset_on_return": None,  # the pool's own "reset" event rolls back where needed
        "pool_recycle": 3600,
        "hide_parameters": True,  # error messages and log lines contain no values
        "connect_args": {
            "autocommit": True,  # transactions begin where they are needed: beginning.py
            # Each statement sees the latest commit, as on SQLite. Correctness rests on locks and
            # row counts.
            "init_command": "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "connect_timeout": _DATABASE_TIMEOUT,
            "read_timeout": patience,
            "write_timeout": patience,
        },
    }
