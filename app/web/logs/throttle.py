"""Refusals that repeat are logged once a minute and then counted, so that history stays readable.

A flood of refused calls would push everything else out of a log whose size is bounded.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from flask import has_request_context, request

from app.core.networks import network

SECONDS = 60
_MOST_KEYS = 10_000


@dataclass(slots=True)
class _Window:
    began: float
    record: logging.LogRecord
    address: str | None
    repeated: int = 0


def _start_timer(seconds: float, call: Callable[[], None]) -> Callable[[], None]:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
    return timer.cancel


class RepeatFilter(logging.Filter):
    """Lets the first of equal refusals pass, and a minute later one line with their number.

    Refusals are what `audit.record` logs as a warning or error, without a traceback. They are
    equal when event, fields (the account among them) and client network are.

    Args:
        emit: takes the record with the number, in its field `repeated`.
        clock: seconds, from any beginning.
        start_timer: called with seconds and what to call after them; returns what cancels it.
        most_keys: different refusals that are remembered; beyond it the oldest is given up.

    """

    def __init__(
        self,
        emit: Callable[[logging.LogRecord], object],
        clock: Callable[[], float] = time.monotonic,
        start_timer: Callable[[float, Callable[[], None]], Callable[[], None]] = _start_timer,
        most_keys: int = _MOST_KEYS,
    ) -> None:
        super().__init__()
        self._emit, self._clock, self._start_timer = emit, clock, start_timer
        self._most_keys = most_keys
        self._lock = threading.Lock()
        self._windows: dict[Hashable, _Window] = {}  # the oldest first
        self._cancel_timer: Callable[[], None] | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be logged now."""
        extra = vars(record)
        if record.levelno < logging.WARNING or record.exc_info:
            return True
        if "facts" not in extra or "repeated" in extra:
            return True
        address = request.remote_addr if has_request_context() else None
        key = (record.name, record.msg, network(address or ""), repr(extra["facts"]))
        now = self._clock()
        with self._lock:
            over = self._take_over(now)
            window = self._windows.get(key)
            if window is None:
                if len(self._windows) == self._most_keys:
                    over.append(self._windows.pop(next(iter(self._windows))))
                self._windows[key] = _Window(now, record, address)
            else:
                window.repeated += 1
                self._ensure_timer(now)
        self._tell(over)
        return window is None

    def flush(self) -> None:
        """Log the numbers of the minutes that are over."""
        now = self._clock()
        with self._lock:
            self._cancel_timer = None
            over = self._take_over(now)
            if any(window.repeated for window in self._windows.values()):
                self._ensure_timer(now)
        self._tell(over)

    def stop(self) -> None:
        """Forget what repeats, and log nothing more of it: the log is being closed."""
        with self._lock:
            self._windows.clear()
            if self._cancel_timer is not None:
                self._cancel_timer()
                self._cancel_timer = None

    def _take_over(self, now: float) -> list[_Window]:
        over = []
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if now - window.began < SECONDS:
                break
            over.append(self._windows.pop(key))
        return over

    def _ensure_timer(self, now: float) -> None:
        if self._cancel_timer is None:
            oldest = next(iter(self._windows.values()))
            self._cancel_timer = self._start_timer(oldest.began + SECONDS - now, self.flush)

    def _tell(self, windows: list[_Window]) -> None:
        for window in windows:
            if window.repeated:
                record = copy.copy(window.record)
                record.created = time.time()
                record.repeated, record.address = window.repeated, window.address
                self._emit(record)
