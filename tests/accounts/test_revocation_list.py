"""A look at the revocations reads only what is new, and finds whatever anybody wrote."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, event, update

from app.accounts.errors import TokenRevokedError
from app.accounts.revocation import Revocations
from app.extensions import db
from app.models import Session, User, utcnow


class List:
    """A worker's list, looked at by hand, and the table that it looks at."""

    def __init__(self, app: Flask) -> None:
        self._known = Revocations(app)
        self.read: list[str] = []
        with app.app_context():
            self._engine = db.engine
            event.listen(self._engine, "before_cursor_execute", self._note)
            db.session.add(user := User(username="one", username_key="one"))
            db.session.flush()
            now, end = utcnow(), utcnow() + timedelta(seconds=900)
            times = {"created_at": now, "last_used_at": now, "rotated_at": now}
            ends = {"expires_at": end, "access_expires_at": end}
            rows = [
                Session(user_id=user.id, rotation=0, address="", user_agent="", **times, **ends)
                for _ in range(4)
            ]
            db.session.add_all(rows)
            db.session.commit()
            self.sessions = [row.id for row in rows]
        self.look()

    def look(self) -> list[int]:
        """Look once: which of the sessions are revoked; `read` has the statements."""
        self.read.clear()
        self._known.look(self._engine)
        return [number for number in self.sessions if self._is_revoked(number)]

    def _is_revoked(self, number: int) -> bool:
        try:
            self._known.check(number)
        except TokenRevokedError:
            return True
        return False

    def _note(self, *call: object) -> None:
        if str(call[2]).startswith("SELECT"):
            self.read.append(str(call[2]))


@pytest.fixture
def known(app: Flask) -> List:
    return List(app)


@pytest.fixture
def revoke(app: Flask) -> Callable[..., None]:
    def write(*numbers: int, hours: float = 0, back: bool = False) -> None:
        at = None if back else utcnow() + timedelta(hours=hours)
        with app.app_context():
            db.session.execute(update(Session).where(Session.id.in_(numbers)).values(revoked_at=at))
            db.session.commit()

    return write


def test_where_nothing_changed_nothing_is_read(known: List, revoke: Callable[..., None]) -> None:
    revoke(*known.sessions[:2])
    assert known.look() == known.sessions[:2]
    assert known.look() == known.sessions[:2]
    assert len(known.read) == 1
    assert "count(*)" in known.read[0]


def test_of_a_new_one_only_that_is_read(known: List, revoke: Callable[..., None]) -> None:
    revoke(known.sessions[0], hours=-1)
    known.look()
    revoke(known.sessions[1])
    assert known.look() == known.sessions[:2]
    assert len(known.read) == 2
    assert "revoked_at >= " in known.read[1]


@pytest.mark.parametrize("hours", [-11, -1, 0, 7, 14])
def test_a_time_written_in_any_zone_counts_at_the_next_look(
    known: List, revoke: Callable[..., None], hours: float
) -> None:
    revoke(known.sessions[2], hours=hours)
    assert known.look() == [known.sessions[2]]


def test_a_revocation_taken_back_is_forgotten(known: List, revoke: Callable[..., None]) -> None:
    revoke(*known.sessions)
    assert known.look() == known.sessions
    revoke(known.sessions[3], back=True)
    assert known.look() == known.sessions[:3]


def test_an_account_deleted_by_hand_takes_its_sessions_along(app: Flask, known: List) -> None:
    with app.app_context():
        db.session.execute(delete(User))
        db.session.commit()
    assert known.look() == known.sessions
