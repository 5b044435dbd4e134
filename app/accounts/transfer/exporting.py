"""Exporting accounts, so that another program, or this one elsewhere, can import them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select

from app import audit
from app.audit import Event
from app.core.database import BATCH_ROWS, release_connection
from app.extensions import db
from app.models import User
from app.text import rfc3339

COLUMNS = ("username", "email", "created_at", "email_verified_at", "disabled_at")
HASH = "password"


def export_accounts(*, hashes: bool) -> Iterator[list[dict[str, str | None]]]:
    """Read every account, ordered by id, in batches between which nothing is held.

    Args:
        hashes: with the hashes of passwords.

    Yields:
        The next accounts: texts by the names of `COLUMNS`, and of `HASH` if asked for.

    """
    names = (*COLUMNS, HASH) if hashes else COLUMNS
    columns = [getattr(User, name) for name in names]
    last = count = 0
    while True:
        after = select(User.id, *columns).where(User.id > last).order_by(User.id)
        rows = db.session.execute(after.limit(BATCH_ROWS)).all()
        release_connection()
        if not rows:
            break
        yield [{name: _text(getattr(row, name)) for name in names} for row in rows]
        last, count = rows[-1].id, count + len(rows)
    kind = "with hashes" if hashes else "without hashes"
    audit.record(Event.ACCOUNTS_EXPORTED, count=count, kind=kind)


def _text(value: str | datetime | None) -> str | None:
    return rfc3339(value) if isinstance(value, datetime) else value
