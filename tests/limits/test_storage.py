"""The counters in the database, as the library `limits` uses a storage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.limits import storage
from app.limits.storage import DatabaseStorage

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)  # as the tables have it


class Clock:
    """The time of day in UTC, which stands still until it is moved."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: int) -> None:
        self.now = BEGAN + timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(storage, "utcnow", clock)
    return clock


@pytest.fixture
def counters(app: Flask) -> Iterator[DatabaseStorage]:
    with app.app_context():
        yield DatabaseStorage(db.engine)


def test_a_counter_ends_on_the_second_and_begins_again(
    counters: DatabaseStorage, clock: Clock
) -> None:
    assert [counters.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    clock.move(59)
    assert (counters.get("a"), counters.incr("a", 60)) == (3, 4)
    clock.move(60)
    assert (counters.get("a"), counters.incr("a", 60)) == (0, 1)
    clock.move(119)
    assert counters.get("a") == 1
    clock.move(120)
    assert counters.get("a") == 0


def test_a_counter_grows_by_what_is_said(counters: DatabaseStorage, clock: Clock) -> None:
    assert [counters.incr("a", 60, amount) for amount in (5, 1, 7)] == [5, 6, 13]
    clock.move(60)
    assert counters.incr("a", 60, 4) == 4


def test_its_end_is_that_of_its_beginning(counters: DatabaseStorage, clock: Clock) -> None:
    counters.incr("a", 60)
    clock.move(30)
    counters.incr("a", 60)
    began = BEGAN.replace(tzinfo=UTC).timestamp()
    assert counters.get_expiry("a") == began + 60
    assert counters.get_expiry("none") == began + 30


def test_one_counter_is_cleared_or_all(counters: DatabaseStorage, clock: Clock) -> None:
    for name in ("a", "b", "c"):
        counters.incr(name, 60)
    counters.clear("a")
    assert [counters.get(name) for name in ("a", "b", "c")] == [0, 1, 1]
    assert counters.reset() == 2
    assert [counters.get(name) for name in ("a", "b", "c")] == [0, 0, 0]


def test_it_says_whether_the_database_answers(counters: DatabaseStorage, tmp_path: Path) -> None:
    assert counters.check() is True
    away = DatabaseStorage(create_engine(f"sqlite:///{tmp_path / 'away' / 'test.db'}"))
    assert away.check() is False
    assert away.base_exceptions is SQLAlchemyError
