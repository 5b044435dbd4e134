"""What every worker knows of revoked sessions, so that a request needs no query.

Each worker keeps the numbers of the sessions that were revoked while an access token of theirs
could still be alive, and asks the database every second: a logout holds at once in the worker
that did it and within two seconds everywhere, also when somebody sets `session.revoked_at` by
hand. Entries leave as their last access token expires, so that the list is as long as the
revocations of one access token's life.

Reading a long list every second would cost what requests need. So the database counts the
entries and adds up their numbers, and only where that is not what this worker's list comes to,
it reads: first what was revoked of late, then, where that is not the difference (a time written
by another clock, a revocation taken back, an account deleted by hand), the whole list.

While the database is away a worker goes on with what it knows, for `TRUST_SECONDS`; then it
answers that it cannot tell.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta

from flask import Flask, current_app
from sqlalchemy import ColumnElement, Connection, Engine, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.errors import TokenRevokedError, UnsureError
from app.extensions import db
from app.models import Session, utcnow

LOOK_EVERY = 1.0
TRUST_SECONDS = 60.0
# As far as the clocks of two replicas may differ.
_OF_LATE = timedelta(seconds=10)
_FORGET_EVERY = timedelta(seconds=60)

_log = logging.getLogger(__name__)


class Revocations:
    """The revoked sessions, kept fresh by a thread that starts with the first question."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        # By number, when the last access token ends: what the database told of those that end
        # after `since`, and what this worker revoked and the database has not told of yet.
        self._told: dict[int, datetime] = {}
        self._own: dict[int, datetime] = {}
        self._since = self._asked_at = utcnow()
        self._fresh_at = float("-inf")
        self._lock = threading.Lock()
        self._first_look = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def check(self, session_id: int) -> None:
        """Return if the session stands.

        Raises:
            TokenRevokedError: it has been revoked.
            UnsureError: the database has been away for too long to tell.

        """
        # In this order: a number goes from the own ones to those told of, never back.
        if session_id in self._own or session_id in self._told:
            raise TokenRevokedError
        if time.monotonic() - self._fresh_at > TRUST_SECONDS:
            self._start()
            self._first_look.wait(timeout=4)
            if time.monotonic() - self._fresh_at > TRUST_SECONDS:
                raise UnsureError
            self.check(session_id)

    def add(self, session_id: int, access_expires_at: datetime) -> None:
        """Know a revocation of this worker's own at once, its transaction being committed."""
        with self._lock:
            self._own[session_id] = access_expires_at

    def look(self, engine: Engine) -> None:
        """Read what the database knows and forget what can matter no longer.

        Raises:
            SQLAlchemyError: the database did not answer.

        """
        begun, now = time.monotonic(), utcnow()
        with engine.connect() as connection:
            if not self._is_whole(connection):
                self._told, self._since = _read(connection, _revoked(now)), now
        if now - self._since > _FORGET_EVERY:
            self._since = now
            self._told = {number: end for number, end in self._told.items() if end > now}
        with self._lock:
            self._own = {
                number: end
                for number, end in self._own.items()
                if end > now and number not in self._told
            }
        self._asked_at = now
        self._fresh_at = begun

    def _is_whole(self, connection: Connection) -> bool:
        """Whether the list, with what was revoked of late, is what the database has."""
        revoked = _revoked(self._since)
        total = func.coalesce(func.sum(Session.id), 0)
        there = tuple(connection.execute(select(func.count(), total).where(*revoked)).one())
        if there != self._sums():
            of_late = Session.revoked_at >= self._asked_at - _OF_LATE
            self._told |= _read(connection, [*revoked, of_late])
        return there == self._sums()

    def _sums(self) -> tuple[int, int]:
        return len(self._told), sum(self._told)

    def stop(self) -> None:
        """End the thread; the list is not to be asked any more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._keep_looking, name="revocations", daemon=True
                )
                self._thread.start()

    def _keep_looking(self) -> None:
        with self._app.app_context():
            engine = db.engine
        while not self._stopped.is_set():
            try:
                self.look(engine)
            except SQLAlchemyError:
                _log.warning("the database does not answer; revocations are not up to date")
            self._first_look.set()
            self._stopped.wait(LOOK_EVERY)


def init_app(app: Flask) -> None:
    """Give the application its list of revocations."""
    app.extensions["revocations"] = Revocations(app)


def revocations() -> Revocations:
    """The list of the running application."""
    known: Revocations = current_app.extensions["revocations"]
    return known


def _revoked(since: datetime) -> list[ColumnElement[bool]]:
    over = or_(Session.revoked_at.is_not(None), Session.user_id.is_(None))
    return [Session.access_expires_at > since, over]


def _read(connection: Connection, where: list[ColumnElement[bool]]) -> dict[int, datetime]:
    rows = connection.execute(select(Session.id, Session.access_expires_at).where(*where))
    return {row.id: row.access_expires_at for row in rows}
