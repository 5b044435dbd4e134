"""What every worker knows of revoked sessions, so that a request needs no query.

Each worker keeps the numbers of the sessions that were revoked while an access token of theirs
could still be alive, and reads them anew from the database every second: a logout holds at once
in the worker that did it and within two seconds everywhere, also when somebody sets
`session.revoked_at` by hand. Entries leave as their last access token expires, so that the list
is as long as the revocations of one access token's life.

While the database is away a worker goes on with what it knows, for `TRUST_SECONDS`; then it
answers that it cannot tell.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

from flask import Flask, current_app
from sqlalchemy import Engine, or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.errors import TokenRevokedError, UnsureError
from app.extensions import db
from app.models import Session, utcnow

LOOK_EVERY = 1.0
TRUST_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Revocations:
    """The revoked sessions, kept fresh by a thread that starts with the first question."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._until: dict[int, float] = {}
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
        if session_id in self._until:
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
            self._until[session_id] = access_expires_at.replace(tzinfo=UTC).timestamp()

    def look(self, engine: Engine) -> None:
        """Read what the database knows and forget what can matter no longer.

        Raises:
            SQLAlchemyError: the database did not answer.

        """
        begun = time.monotonic()
        revoked = select(Session.id, Session.access_expires_at).where(
            Session.access_expires_at > utcnow(),
            or_(Session.revoked_at.is_not(None), Session.user_id.is_(None)),
        )
        with engine.connect() as connection:
            rows = connection.execute(revoked).all()
        now = time.time()
        with self._lock:
            found = {row.id: row.access_expires_at.replace(tzinfo=UTC).timestamp() for row in rows}
            own = {sid: end for sid, end in self._until.items() if end > now}
            self._until = own | found
        self._fresh_at = begun

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
