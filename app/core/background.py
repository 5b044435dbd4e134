"""Threads of a worker that work beside its requests."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask


def start_with_first_request(app: Flask, start: Callable[[], None]) -> None:
    """Start a thread once, as a worker's first request begins; commands and tests do not need it.

    Args:
        app: the application of the worker.
        start: starts the thread.

    """
    if app.testing:
        return
    first = threading.Lock()  # taken once, and never released

    def begin() -> None:
        if first.acquire(blocking=False):
            start()

    app.before_request(begin)
