"""The Flask extensions: created here, bound to an application in `create_app`."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from flask import current_app
from flask_bcrypt import Bcrypt
from flask_jwt_extended import JWTManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from authlib.integrations.flask_client import OAuth

db = SQLAlchemy(session_options={"expire_on_commit": False})
bcrypt = Bcrypt()
jwt = JWTManager()
csrf = CSRFProtect()
# One for each application: Authlib keeps the clients that it made for the first one for ever.
oauth: OAuth = LocalProxy(lambda: current_app.extensions["authlib.integrations.flask_client"])

# A database that went silent must fail a request within five seconds: one lost ping and one
# attempt to connect anew stay below that.
_DATABASE_TIMEOUT = 2


def engine_options(database_url: str, threads: int) -> dict[str, Any]:
    """What SQLAlchemy is told of the database, so that its absence is noticed soon."""
    if make_url(database_url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": _DATABASE_TIMEOUT}}
    # Imported here: with SQLite a worker needs no driver of MySQL.
    from app.pool import PatientPool

    return {
        "poolclass": PatientPool,
        "pool_size": threads,
        "max_overflow": 2,
        "pool_timeout": _DATABASE_TIMEOUT,
        "pool_pre_ping": True,
        "pool_recycle": 3600,
        "connect_args": {
            "connect_timeout": _DATABASE_TIMEOUT,
            "read_timeout": _DATABASE_TIMEOUT,
            "write_timeout": _DATABASE_TIMEOUT,
        },
    }


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None  # transactions begin below, not in the driver
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    # In WAL a transaction that reads and then writes fails at once when another wrote between;
    # one that takes the write lock first waits for its turn instead.
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
