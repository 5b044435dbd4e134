"""A look at the revocations reads only what is new, and finds whatever anybody wrote."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, event, update

from app.core.errors import TokenRevokedError
from app.extensions import db
from app.models import Session, User, utcnow
from app.sessions import revocation
from app.sessions.revocation import RevocationList


class List:
    """A worker's list, looked at by hand, and the table that it looks at."""

    def __init__(self, app: Flask) -> None:
        self._known = RevocationList(app)
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
        self.refresh()

    def refresh(self) -> list[int]:
        """Look once: which of the sessions are revoked; `read` has the statements."""
        self.read.clear()
        self._known.refresh(self._engine)
        return self.revoked()

    def revoked(self) -> list[int]:
        """Which of the sessions the list refuses as it is, without a look."""
        return [number for number in self.sessions if self._is_revoked(number)]

    def add(self, number: int, end: datetime) -> None:
        """Tell the list of a revocation of its own worker."""
        self._known.add(number, end)

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
    assert known.refresh() == known.sessions[:2]
    assert known.refresh() == known.sessions[:2]
    assert len(known.read) == 1
    assert "count(*)" in known.read[0]


def test_where_none_is_revoked_the_list_is_not_read_either(known: List) -> None:
    assert known.refresh() == []
    assert len(known.read) == 1


def test_of_a_new_one_only_that_is_read(known: List, revoke: Callable[..., None]) -> None:
    revoke(known.sessions[0], hours=-1)
    known.refresh()
    revoke(known.sessions[1])
    assert known.refresh() == known.sessions[:2]
    assert len(known.read) == 2
    assert "revoked_at >= " in known.read[1]


@pytest.mark.parametrize("hours", [-11, -1, 0, 7, 14])
def test_a_time_written_in_any_zone_counts_at_the_next_look(
    known: List, revoke: Callable[..., None], hours: float
) -> None:
    revoke(known.sessions[2], hours=hours)
    assert known.refresh() == [known.sessions[2]]


def test_a_revocation_taken_back_is_forgotten(known: List, revoke: Callable[..., None]) -> None:
    revoke(*known.sessions)
    assert known.refresh() == known.sessions
    revoke(known.sessions[3], back=True)
    assert known.refresh() == known.sessions[:3]


def test_an_account_deleted_by_hand_takes_its_sessions_along(app: Flask, known: List) -> None:
    with app.app_context():
        db.session.execute(delete(User))
        db.session.commit()
    assert known.refresh() == known.sessions


# --- what this worker revoked itself -------------------------------------------------------------


def test_an_own_revocation_counts_before_the_database_tells_of_it(known: List) -> None:
    first, second = known.sessions[:2]
    known.add(first, utcnow() + timedelta(seconds=900))
    known.add(second, utcnow() + timedelta(seconds=900))
    assert known.revoked() == [first, second]
    # Each of these looks finds a database without it, as one does that began before the commit.
    assert known.refresh() == [first, second]
    assert known.refresh() == [first, second]


def test_of_what_the_database_tells_the_database_decides(
    known: List, revoke: Callable[..., None]
) -> None:
    own = known.sessions[0]
    known.add(own, utcnow() + timedelta(seconds=900))
    revoke(own)
    assert known.refresh() == [own]
    revoke(own, back=True)
    assert known.refresh() == []


# --- on the second -------------------------------------------------------------------------------


class Clock:
    """The time of day in UTC, which stands still until it is moved."""

    def __init__(self) -> None:
        self.began = self.now = utcnow()

    def __call__(self) -> datetime:
        return self.now

    def at(self, seconds: float) -> datetime:
        return self.began + timedelta(seconds=seconds)

    def move(self, seconds: float) -> None:
        self.now = self.at(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """To be asked for before `known`."""
    clock = Clock()
    monkeypatch.setattr(revocation, "utcnow", clock)
    return clock


@pytest.fixture
def store(app: Flask) -> Callable[..., None]:
    def write(number: int, **times: datetime) -> None:
        with app.app_context():
            db.session.execute(update(Session).where(Session.id == number).values(**times))
            db.session.commit()

    return write


def test_an_own_revocation_is_forgotten_on_the_second_its_access_token_ends(
    clock: Clock, known: List
) -> None:
    known.add(known.sessions[0], clock.at(10))
    clock.move(9)
    assert known.refresh() == [known.sessions[0]]
    clock.move(10)
    assert known.refresh() == []


def test_a_revocation_is_not_read_from_the_second_its_access_token_ends(
    clock: Clock, known: List, store: Callable[..., None]
) -> None:
    over, living = known.sessions[:2]
    store(over, revoked_at=clock.at(0), access_expires_at=clock.at(0))
    store(living, revoked_at=clock.at(0), access_expires_at=clock.at(1))
    assert known.refresh() == [living]


def test_after_more_than_60_seconds_it_forgets_whose_access_token_has_ended(
    clock: Clock, known: List, store: Callable[..., None]
) -> None:
    early, just_over, living = known.sessions[:3]
    for number, end in ((early, 30), (just_over, 61), (living, 62)):
        store(number, revoked_at=clock.at(0), access_expires_at=clock.at(end))
    assert known.refresh() == [early, just_over, living]
    clock.move(60)
    assert known.refresh() == [early, just_over, living]
    clock.move(61)
    assert known.refresh() == [living]
    assert len(known.read) == 1
    assert known.refresh() == [living]
    assert len(known.read) == 1, "what it forgot is not counted by the database either"


@pytest.mark.parametrize(("seconds", "statements"), [(-10, 2), (-11, 3)])
def test_a_clock_that_is_10_seconds_behind_costs_no_look_at_the_whole_list(
    clock: Clock, known: List, store: Callable[..., None], seconds: int, statements: int
) -> None:
    store(known.sessions[0], revoked_at=clock.at(seconds))
    assert known.refresh() == [known.sessions[0]]
    assert len(known.read) == statements
