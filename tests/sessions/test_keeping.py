"""How long a browser stays logged in: 12 hours, or longer if its person asked for that."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask

from app.models import utcnow
from app.sessions import opening
from tests.support.application import DUMMY
from tests.support.browsing import Browser
from tests.support.databases import select

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock to this many seconds after now."""
    now = time.time()

    def move(seconds: float) -> None:
        moment = utcnow_then + timedelta(seconds=seconds)
        monkeypatch.setattr(time, "time", lambda: now + seconds)
        monkeypatch.setattr(opening, "utcnow", lambda: moment)

    utcnow_then = utcnow()
    return move


def log_in(app: Flask, **fields: str) -> Browser:
    browser = Browser(app)
    assert browser.post("/login", **DUMMY, **fields).status_code == 303
    return browser


def register(app: Flask) -> Browser:
    browser = Browser(app)
    new = DUMMY | {"username": "other", "email": "other@example.com"}
    assert browser.post("/register", **new).status_code == 303
    return browser


@pytest.mark.parametrize("begin", [log_in, register])
def test_a_login_that_is_not_kept_ends_after_12_hours_of_use(
    app: Flask,
    dummy: dict[str, str],
    later: Callable[[float], None],
    begin: Callable[[Flask], Browser],
) -> None:
    browser = begin(app)
    for hours in range(12):
        later(hours * HOUR + 59 * MINUTE)
        assert browser.signed_in()
    later(12 * HOUR + MINUTE)
    assert not browser.signed_in()


def test_a_login_that_is_kept_goes_on_as_long_as_it_is_used(
    app: Flask, dummy: dict[str, str], later: Callable[[float], None]
) -> None:
    browser = log_in(app, keep="y")
    for days in (1, 13, 26):
        later(days * DAY)
        assert browser.signed_in()
    later(60 * DAY)
    assert not browser.signed_in()


def test_a_login_that_is_not_kept_ends_even_if_nobody_comes_back(
    app: Flask, dummy: dict[str, str], database_url: str
) -> None:
    """The server's own row says so, whatever a browser makes of its cookie."""
    log_in(app)
    ((end,),) = select(database_url, "SELECT expires_at FROM session")
    assert datetime.fromisoformat(str(end)) <= utcnow() + timedelta(hours=12)
