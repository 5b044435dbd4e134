"""The connections to MySQL: a pool with a circuit breaker, without needless round trips.

They are in autocommit mode: a read, and a statement that is a transaction of its own, needs no
COMMIT. What belongs in a transaction begins one (beginning.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from pymysql import Connection
from pymysql.constants.SERVER_STATUS import SERVER_STATUS_IN_TRANS
from pymysql.err import Error, MySQLError, OperationalError
from sqlalchemy import event
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.engine import ExceptionContext, ExecutionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, PoolResetState, QueuePool

from app.core.engines.beginning import begins_transaction
from app.core.engines.failures import USELESS, number_of

# Seconds for which callers wait for the half-open probe before they fail fast.
MAX_WAIT = 0.3
# Seconds of idleness after which a connection is pinged before it is used.
PING_AFTER = 1.0
# SQLAlchemy logs every connection that it opens and closes under this module's name.
logging.getLogger(__name__).setLevel(logging.WARNING)


class StatusConnection(Connection):
    """A connection that knows whether it may be in a transaction."""

    server_status: int
    _force_close: Callable[[], None]
    _failed = False

    def query(self, sql: str, unbuffered: bool = False) -> int:
        """Send a statement and read its answer."""
        self._failed = True
        affected = super().query(sql, unbuffered)
        self._failed = False
        return affected

    def commit(self) -> None:
        """Commit, if anything is open."""
        if self.may_be_in_transaction():
            super().commit()

    def rollback(self) -> None:
        """Roll back, if anything may be open; a server that is gone has done so by itself."""
        if not self.may_be_in_transaction():
            return
        try:
            super().rollback()
        except MySQLError:
            self._force_close()  # the pool replaces it
        self._failed = False

    @property
    def in_transaction(self) -> bool:
        """Tell from the status flags of the last answer; that of an error has none."""
        return bool(self.server_status & SERVER_STATUS_IN_TRANS)

    def may_be_in_transaction(self) -> bool:
        """Tell what is certain only if the last statement did not fail."""
        return self._failed or self.in_transaction


class CircuitBreakerPool(QueuePool):
    """A connection pool with a circuit breaker.

    It takes seconds to find out that a silent server is silent. A failure to connect opens the
    circuit: one thread at a time then tries to connect (the half-open probe), and the others fail
    after `MAX_WAIT`, so that the worker keeps threads for requests that need no database. The
    first connection that succeeds closes the circuit.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._open = False
        self._probe = threading.Lock()

    def connect(self) -> PoolProxiedConnection:
        """Return a connection.

        Raises:
            MySQLError: the database does not answer, or the circuit is open and another thread
                still probes.

        """
        if not self._open:
            return self._try()
        if not self._probe.acquire(timeout=MAX_WAIT):
            raise OperationalError(2003, "the database did not answer a moment ago")
        try:
            return self._try()
        finally:
            self._probe.release()

    def _try(self) -> PoolProxiedConnection:
        try:
            connection = super().connect()
        except MySQLError:
            self._open = True
            raise
        self._open = False
        return connection


@event.listens_for(CircuitBreakerPool, "checkin")
def _note_time(_connection: Connection[Any] | None, entry: ConnectionPoolEntry) -> None:
    entry.info["idle_since"] = time.monotonic()


@event.listens_for(CircuitBreakerPool, "checkout")
def _ping_if_idle(
    connection: Connection[Any], entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Replace a connection that broke while it was idle, and all others as old.

    A connection used within the last second is not pinged, which saves a round trip for each
    request. If it broke in between, its next statement fails.
    """
    if not connection.open:
        raise InvalidatePoolError
    idle_since = entry.info.get("idle_since")  # a new connection has none
    if idle_since is None or time.monotonic() - idle_since < PING_AFTER:
        return
    try:
        connection.ping(reconnect=False)
    except Error as error:
        raise InvalidatePoolError from error


@event.listens_for(CircuitBreakerPool, "reset")
def _roll_back_if_needed(
    connection: StatusConnection, _entry: ConnectionPoolEntry, _state: PoolResetState
) -> None:
    """Roll back what is open at check-in; with `pool_reset_on_return=None`, the only reset."""
    connection.rollback()


@event.listens_for(MySQLDialect_pymysql, "do_connect")
def _connect(
    _dialect: Any, _entry: ConnectionPoolEntry | None, args: Any, options: dict[str, Any]
) -> StatusConnection:
    return StatusConnection(*args, **options)


@event.listens_for(MySQLDialect_pymysql, "do_execute")
@event.listens_for(MySQLDialect_pymysql, "do_executemany")
def _begin(cursor: Any, statement: str, _values: Any, context: ExecutionContext) -> None:
    if context.execution_options.get("whole_transaction"):
        return
    connection: StatusConnection = cursor.connection
    if not connection.in_transaction and begins_transaction(statement, context):
        connection.begin()


@event.listens_for(MySQLDialect_pymysql, "handle_error")
def _leave_useless_server(context: ExceptionContext) -> None:
    """Replace every connection that is open: a new one finds the server that is the writer now."""
    if number_of(context.original_exception) in USELESS:
        context.is_disconnect = True
