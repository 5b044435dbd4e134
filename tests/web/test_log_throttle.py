"""Refusals that repeat are logged once a minute, then counted."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from flask import Flask

from app.web.logs.formatter import JsonFormatter
from app.web.logs.throttle import SECONDS, RepeatFilter


class Log:
    """A log whose clock stands still until it is moved."""

    def __init__(self, most_keys: int = 10_000) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self._text = StringIO()
        handler = logging.StreamHandler(self._text)
        handler.setFormatter(JsonFormatter())
        self.filter = RepeatFilter(handler.handle, lambda: self.now, self._start_timer, most_keys)
        handler.addFilter(self.filter)
        self.logger = logging.getLogger(f"{__name__}.{id(self)}")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        self.logger.addHandler(handler)

    def _start_timer(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        timer = (self.now + seconds, call)
        self.timers.append(timer)
        return lambda: self.timers.remove(timer)

    def refuse(self, event: str = "limit", **facts: Any) -> None:
        self.logger.warning(event, extra={"facts": {"outcome": "refused"} | facts})

    def wait(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if timer[0] <= self.now]
        self.timers = [timer for timer in self.timers if timer[0] > self.now]
        for _, call in due:
            call()

    @property
    def lines(self) -> list[tuple[str, int | None]]:
        found = map(json.loads, self._text.getvalue().splitlines())
        return [(line["event"], line.get("repeated")) for line in found]

    @property
    def last(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self._text.getvalue().splitlines()[-1])
        return found


def test_the_end_of_a_flood_is_counted_when_its_minute_is_over() -> None:
    log = Log()
    for _ in range(1000):
        log.refuse()
    assert log.lines == [("limit", None)]
    log.wait(SECONDS - 1)
    assert log.lines == [("limit", None)]
    log.wait(1)
    assert log.lines == [("limit", None), ("limit", 999)]
    assert log.timers == []


def test_a_flood_that_goes_on_begins_a_new_minute() -> None:
    log = Log()
    for _ in range(3 * SECONDS):
        log.refuse()
        log.wait(1)
    each = [("limit", None), ("limit", SECONDS - 1)]
    assert log.lines == each * 3


def test_one_that_does_not_repeat_is_logged_once() -> None:
    log = Log()
    log.refuse()
    log.wait(SECONDS)
    log.refuse()
    assert log.lines == [("limit", None)] * 2
    assert log.timers == []


@pytest.mark.parametrize(
    "facts", [{"user_id": 7}, {"outcome": "failure"}, {"limit": "10 per hour"}]
)
def test_another_account_outcome_or_limit_is_another_refusal(facts: dict[str, Any]) -> None:
    log = Log()
    log.refuse()
    log.refuse(**facts)
    log.refuse("login")
    assert log.lines == [("limit", None), ("limit", None), ("login", None)]


def test_what_is_no_refusal_is_always_logged() -> None:
    log = Log()
    for _ in range(3):
        log.logger.info("login", extra={"facts": {"outcome": "success"}})
        log.logger.warning("the disk is full")
    assert len(log.lines) == 6


def test_a_traceback_is_always_logged() -> None:
    log = Log()
    for number in range(3):
        facts = {"outcome": "failure", "error": "ValueError"}
        error = ValueError(number)
        log.logger.error("request.failed", extra={"facts": facts}, exc_info=error)
    assert log.lines == [("request.failed", None)] * 3


def test_each_network_is_counted_for_itself(app: Flask) -> None:
    log = Log()
    for address in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"):
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            log.refuse()
    assert log.lines == [("limit", None)] * 3
    log.wait(SECONDS)
    assert log.lines == [("limit", None)] * 3 + [("limit", 1)] * 2
    assert log.last["address"] == "2001:db8::1"


def test_the_memory_is_bounded_and_no_count_is_lost() -> None:
    log = Log(most_keys=2)
    for user_id in (1, 1, 1, 2, 3):
        log.refuse(user_id=user_id)
    assert log.lines == [("limit", None), ("limit", None), ("limit", 2), ("limit", None)]


def test_a_log_that_is_closed_leaves_no_timer_behind() -> None:
    log = Log()
    for _ in range(2):
        log.refuse()
    assert len(log.timers) == 1
    log.filter.stop()
    assert log.timers == []
    log.wait(SECONDS)
    assert log.lines == [("limit", None)]


def test_each_test_has_a_log_of_its_own(app: Flask) -> None:
    """None writes to the standard error of another, which is closed."""
    (handler,) = logging.getLogger("loguserapp").handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url
