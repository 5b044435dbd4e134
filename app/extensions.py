"""The Flask extensions: created here, bound to an application in `create_app`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app
from flask_bcrypt import Bcrypt
from flask_jwt_extended import JWTManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy.engine import make_url
from werkzeug.local import LocalProxy

import app.sqlite  # noqa: F401 - registers its events with SQLAlchemy

if TYPE_CHECKING:
    from authlib.integrations.flask_client import OAuth

db = SQLAlchemy(session_options={"expire_on_commit": False})
bcrypt = Bcrypt()
jwt = JWTManager()
csrf = CSRFProtect()
# One for each application: Authlib keeps the clients that it made for the first one for ever.
oauth: OAuth = LocalProxy(lambda: current_app.extensions["authlib.integrations.flask_client"])

# Seconds. A silent database must fail a request within five: a lost ping or statement, and an
# attempt to reconnect, stay below that.
_DATABASE_TIMEOUT = 2


def engine_options(database_url: str, threads: int) -> dict[str, Any]:
    """Return the options for SQLAlchemy's engine.

    Args:
        database_url: where the database is.
        threads: how many connections the pool keeps.

    """
    if make_url(database_url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": _DATABASE_TIMEOUT}, "hide_parameters": True}
    # Imported here: with SQLite a worker needs no driver of MySQL.
    from app.pool import CircuitBreakerPool

    return {
        "poolclass": CircuitBreakerPool,
        "pool_size": threads,
        "max_overflow": 2,
        # Each statement sees the latest commit, as on SQLite; locks and row counts decide.
        "isolation_level": "READ COMMITTED",
        "pool_timeout": _DATABASE_TIMEOUT,
        "pool_use_lifo": True,  # few connections are busy, so that few are pinged
        "pool_reset_on_return": None,  # the pool's own "reset" event rolls back where needed
        "pool_recycle": 3600,
        "hide_parameters": True,  # no error message, and so no log line, holds a value
        "connect_args": {
            "connect_timeout": _DATABASE_TIMEOUT,
            "read_timeout": _DATABASE_TIMEOUT,
            "write_timeout": _DATABASE_TIMEOUT,
        },
    }
