"""Housekeeping: rows whose time is over are deleted by the service itself, once an hour.

One worker of all replicas does it: the row `lease` says until when no other one needs to. It is
taken by a conditional UPDATE (the first time by an INSERT), so that it works on every database and
needs no named lock, which Group Replication does not share. If a worker dies meanwhile, another one
follows an hour later.
"""

from __future__ import annotations

import logging
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

from app.database import delete_in_batches, updated_one
from app.extensions import db
from app.models import Counter, Lease, OneTime, Session, utcnow

INTERVAL = timedelta(hours=1)
# For how long an ended session stays in its table.
KEEP_SESSIONS = timedelta(days=30)
_LOOK_EVERY = 60.0
_JOB = "housekeeping"

_log = logging.getLogger("loguserapp.audit")


def purge(keep_sessions: timedelta = KEEP_SESSIONS) -> dict[str, int]:
    """Delete the rows whose time is over, in batches, and return how many of each table.

    A session stays while an access token of it could be alive: its row is what revokes them.
    """
    now = utcnow()
    before = now - keep_sessions
    over = (Session.revoked_at < before) | (Session.expires_at < before)
    return {
        "session": delete_in_batches(Session.id, over & (Session.access_expires_at < now)),
        "one_time": delete_in_batches(OneTime.id, OneTime.expires_at <= now),
        "counter": delete_in_batches(Counter.name, Counter.expires_at <= now),
    }


def take_lease(holder: str) -> bool:
    """Tell whether this process is the one to do the job, for the hour that begins now."""
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
    """A thread of a worker that looks every minute whether the job is due."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        # As a person recognises it in the table, and unique among replicas.
        self._holder = f"{socket.gethostname()[:32]} {os.getpid()} {secrets.token_hex(4)}"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._app.app_context(), _database_failures():
                if take_lease(self._holder):
                    counts = {table: count for table, count in purge().items() if count}
                    if counts:
                        _log.info("rows.purged", extra={"counts": counts})
            self._stopped.wait(_LOOK_EVERY)


def init_app(app: Flask) -> None:
    """Start the thread with the first request: commands and tests have no need of it."""
    if app.testing:
        return
    lock = threading.Lock()

    def start() -> None:
        with lock:
            started = app.before_request_funcs[None]
            if start in started:
                started.remove(start)
                Housekeeper(app).start()

    app.before_request(start)


@contextmanager
def _database_failures() -> Iterator[None]:
    """A database that is away is tried again at the next look."""
    try:
        yield
    except SQLAlchemyError:
        _log.warning("rows.purge_failed", extra={"outcome": "failure"})
