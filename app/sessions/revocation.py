"""The revocation list: revoked sessions in memory, so that checking an access token needs no query.

Each worker keeps the ids of revoked sessions whose access tokens may still be valid, and polls the
database every second: a logout takes effect at once in its own worker and within two seconds in
all others, also if an operator sets `session.revoked_at` by hand. Entries are dropped when their
last access token expires, so that the list covers one access token lifetime.

Reading a long list every second would be expensive. So the database returns the count and sum of
the ids; only if these differ from this worker's list does the worker read: first the recent
revocations, then, if they do not explain the difference (a skewed clock, a revocation taken back,
an account deleted by hand), the whole list.

While the database is unavailable a worker trusts its list for `TRUST_SECONDS`; then it refuses with
`RevocationUnknownError`. A server that takes no writes may be a member of a cluster that is behind:
a worker adds what it tells, forgets nothing, and trusts its list no longer than without a database.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import Flask
from sqlalchemy import ColumnElement, Connection, Engine, func, or_, select

from app import audit
from app.audit import Fault
from app.core.database import may_be_behind
from app.core.errors import RevocationUnknownError, TokenRevokedError
from app.extensions import db
from app.models import Session, utcnow
from app.services import Service
from app.text import unix

REFRESH_INTERVAL = 1.0
# After a failure, which the end of the connection to a server that was replaced is as well.
_RETRY_INTERVAL = 0.2
TRUST_SECONDS = 60.0
# The clock skew allowed between two replicas.
_CLOCK_SKEW = timedelta(seconds=10)
_FORGET_EVERY = timedelta(seconds=60)


class PublishedList(NamedTuple):
    """The list for other back ends.

    Attributes:
        as_of: what was revoked until then is on it, UTC.
        revoked: a JSON array of `{"sid": "…", "until": Unix time}`.
        etag: of the array alone.

    """

    as_of: datetime
    revoked: str
    etag: str


class RevocationList:
    """The revoked sessions, refreshed by a thread that starts with the first check.

    Args:
        app: whose database is asked.
        interval: seconds from one refresh to the next.
        clock: seconds, from any beginning.

    """

    def __init__(
        self,
        app: Flask,
        interval: float = REFRESH_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._interval, self._clock = app, interval, clock
        # By number, when the last access token ends: what the database told of those that end
        # after `since`, and what this worker revoked and the database has not told of yet.
        self._told: dict[int, datetime] = {}
        self._own: dict[int, datetime] = {}
        self._since = self._asked_at = utcnow()
        self._fresh_at = float("-inf")
        self._published: tuple[str, str] | None = None
        self._lock = threading.Lock()
        self._first_refresh = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def check(self, session_id: int) -> None:
        """Return if the session stands.

        Raises:
            TokenRevokedError: it has been revoked.
            RevocationUnknownError: the database has been away for too long to tell.

        """
        # In this order: a number goes from the own ones to those told of, never back.
        if session_id in self._own or session_id in self._told:
            raise TokenRevokedError
        if self._is_stale():
            self._wait_until_fresh()
            self.check(session_id)

    def published(self) -> PublishedList:
        """The list as other back ends read it, made anew only when it has changed.

        Raises:
            RevocationUnknownError: the database has been away for too long to tell.

        """
        if self._is_stale():
            self._wait_until_fresh()
        with self._lock:
            if self._published is None:
                now = utcnow()
                known = self._own | self._told
                self._published = _serialized({n: end for n, end in known.items() if end > now})
            return PublishedList(self._asked_at, *self._published)

    def add(self, session_id: int, access_expires_at: datetime) -> None:
        """Know a revocation of this worker's own at once, its transaction being committed."""
        with self._lock:
            self._own[session_id] = access_expires_at
            self._published = None

    def refresh(self, engine: Engine) -> None:
        """Read what the database knows and forget what can matter no longer.

        Raises:
            SQLAlchemyError: the database did not answer.

        """
        begun, now, before = self._clock(), utcnow(), self._sums()
        with engine.connect() as connection:
            is_whole, is_behind = self._compare(connection)
            if not is_whole and not is_behind:
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
            if self._sums() != before:
                self._published = None
        if not is_behind:
            self._asked_at, self._fresh_at = now, begun

    def _compare(self, connection: Connection) -> tuple[bool, bool]:
        """Add what was revoked of late; whether the list is the database's, and that one behind."""
        revoked = _revoked(self._since)
        count, total = func.count().label("count"), func.coalesce(func.sum(Session.id), 0)
        sums = select(count, total.label("total")).where(*revoked).subquery()
        # Beside the sums and not among them, where MariaDB 10.11 answers 0.
        *there, is_behind = connection.execute(select(sums, may_be_behind(connection))).one()
        if tuple(there) != self._sums():
            recent = Session.revoked_at >= self._asked_at - _CLOCK_SKEW
            self._told |= _read(connection, [*revoked, recent])
        return tuple(there) == self._sums(), bool(is_behind)

    def _is_stale(self) -> bool:
        return self._clock() - self._fresh_at > TRUST_SECONDS

    def _wait_until_fresh(self) -> None:
        self._start()
        self._first_refresh.wait(timeout=4)
        if self._is_stale():
            raise RevocationUnknownError

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
                    target=self._refresh_loop, name="revocations", daemon=True
                )
                self._thread.start()

    def _refresh_loop(self) -> None:
        with self._app.app_context():
            engine = db.engine
        while not self._stopped.is_set():
            pause = self._interval
            try:
                self.refresh(engine)
            except Exception as error:  # noqa: BLE001 - without this thread tokens outlive logouts
                audit.record(Fault.REVOCATION_LIST_REFRESH_FAILED, error=type(error).__name__)
                pause = _RETRY_INTERVAL
            self._first_refresh.set()
            self._stopped.wait(pause)


revocation_list = Service[RevocationList]("revocation list")


def init_app(app: Flask) -> None:
    """Give the application its list of revocations."""
    revocation_list.bind(app, RevocationList(app))


def _serialized(living: dict[int, datetime]) -> tuple[str, str]:
    entries = [{"sid": str(n), "until": unix(living[n])} for n in sorted(living)]
    text = json.dumps(entries, separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()[:32]


def _revoked(since: datetime) -> list[ColumnElement[bool]]:
    over = or_(Session.revoked_at.is_not(None), Session.user_id.is_(None))
    return [Session.access_expires_at > since, over]


def _read(connection: Connection, where: list[ColumnElement[bool]]) -> dict[int, datetime]:
    rows = connection.execute(select(Session.id, Session.access_expires_at).where(*where))
    return {row.id: row.access_expires_at for row in rows}
