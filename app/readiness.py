"""Whether the database answers and is migrated, asked once for all who want to know at a moment."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from app.extensions import db
from app.upgrade import is_behind


class Readiness:
    """Requests that come while one asks the database share its answer (single flight).

    So a flood of `GET /readyz` takes one connection of the pool and leaves the others to those
    who need them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flight: Future[bool] | None = None

    def is_behind(self) -> bool:
        """Tell whether the database lacks a migration.

        Raises:
            SQLAlchemyError: it does not answer.

        """
        with self._lock:
            under_way = self._flight
            if under_way is None:
                mine = self._flight = Future()
        if under_way is not None:
            return under_way.result()
        try:
            with db.engine.connect() as connection:
                behind = is_behind(connection)
        except BaseException as error:
            self._land()
            mine.set_exception(error)
            raise
        self._land()
        mine.set_result(behind)
        return behind

    def _land(self) -> None:
        with self._lock:
            self._flight = None
