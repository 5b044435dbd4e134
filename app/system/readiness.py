"""Readiness: whether the database answers and is migrated, in a single flight."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from flask import Flask

from app.core.migrations import is_behind
from app.extensions import db
from app.services import Service


class Readiness:
    """A single flight: requests during a check share its result.

    A flood of `GET /readyz` then takes one connection of the pool.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flight: Future[bool] | None = None

    def is_behind(self) -> bool:
        """Tell whether the database lacks a migration.

        Raises:
            SQLAlchemyError: the database does not answer.

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


readiness = Service[Readiness]("readiness")


def init_app(app: Flask) -> None:
    """Give the application its readiness."""
    readiness.bind(app, Readiness())
