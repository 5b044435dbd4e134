"""The pool of connections to MySQL, and what it does while MySQL is away."""

from __future__ import annotations

import logging
import threading
from typing import Any

from pymysql.err import MySQLError, OperationalError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

# For how long the others wait for the one who asks: it is back at once after a short hiccup.
_PATIENCE = 0.3
# By this name SQLAlchemy tells of every connection that it opens and closes.
logging.getLogger(__name__).setLevel(logging.WARNING)


class PatientPool(QueuePool):
    """A pool that lets one thread at a time wait for a database that does not answer.

    To find out that a silent server is silent takes seconds. If every request spent them, the
    threads of the worker would be taken, and those who need no database would wait as well.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._away = False
        self._asking = threading.Lock()

    def connect(self) -> PoolProxiedConnection:
        """Return a connection.

        Raises:
            MySQLError: the database does not answer, or somebody else still waits for it.

        """
        if not self._away:
            return self._ask()
        if not self._asking.acquire(timeout=_PATIENCE):
            raise OperationalError(2003, "the database did not answer a moment ago")
        try:
            return self._ask()
        finally:
            self._asking.release()

    def _ask(self) -> PoolProxiedConnection:
        try:
            connection = super().connect()
        except MySQLError:
            self._away = True
            raise
        self._away = False
        return connection
