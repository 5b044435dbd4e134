"""Housekeeping: the service deletes expired rows once an hour.

One worker of all replicas runs it, by a lease: a row that a conditional UPDATE (the first time an
INSERT) takes for an hour. It works on every database and needs no named lock, which Group
Replication does not share. If the worker dies, another one runs it an hour later.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app import audit
from app.audit import Event, Fault
from app.core.background import start_with_first_request
from app.core.database import delete_in_batches, updated_one
from app.extensions import db
from app.models import Counter, Lease, OneTime, Session, utcnow

INTERVAL = timedelta(hours=1)
# How long an ended session stays in the table.
KEEP_SESSIONS = timedelta(days=30)
_CHECK_INTERVAL = 60.0
_JOB = "housekeeping"


def purge(keep_sessions: timedelta = KEEP_SESSIONS) -> dict[str, int]:
    """Delete expired rows in batches; record and return their number by table.

    A session stays while one of its access tokens may be valid, because its row revokes them.
    """
    now = utcnow()
    before = now - keep_sessions
    over = (Session.revoked_at < before) | (Session.expires_at < before)
    counts = {
        "session": delete_in_batches(Session.id, over & (Session.access_expires_at < now)),
        "one_time": delete_in_batches(OneTime.id, OneTime.expires_at <= now),
        "counter": delete_in_batches(Counter.name, Counter.expires_at <= now),
    }
    if any(counts.values()):
        audit.record(Event.ROWS_PURGED, counts={name: n for name, n in counts.items() if n})
    return counts


def acquire_lease(holder: str) -> bool:
    """Take the lease for an hour; return False if another process holds it."""
    now = utcnow()
    if db.session.scalar(select(Lease.name).where(Lease.name == _JOB)) is None:
        db.session.add(Lease(name=_JOB, holder=holder, expires_at=now + INTERVAL))
        try:
            db.session.commit()
        except IntegrityError:  # another worker was first
            db.session.rollback()
            return False
        return True
    due = (Lease.name == _JOB, Lease.expires_at <= now)
    if db.session.scalar(select(Lease.name).where(*due)) is None:
        db.session.rollback()
        return False
    taken = updated_one(update(Lease).where(*due).values(holder=holder, expires_at=now + INTERVAL))
    db.session.commit()
    return taken


class Housekeeper:
    """A thread of a worker that checks every minute whether the job is due."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        # Readable for an operator, and unique among replicas.
        self._holder = f"{socket.gethostname()[:32]} {os.getpid()} {secrets.token_hex(4)}"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with _database_failures(), self._app.app_context():  # whose end uses it as well
                if acquire_lease(self._holder):
                    purge()
            self._stopped.wait(_CHECK_INTERVAL)


def init_app(app: Flask) -> None:
    """Start the thread with the first request."""
    start_with_first_request(app, lambda: Housekeeper(app).start())


@contextmanager
def _database_failures() -> Iterator[None]:
    """Log a database failure; the next round tries again."""
    try:
        yield
    except SQLAlchemyError as error:
        audit.record(Fault.ROWS_PURGE_FAILED, error=type(error).__name__)
