"""Figures for Prometheus: requests by address, method and status, and how long they took."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

_METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}


def init_app(app: Flask) -> None:
    """Count and time every request."""
    app.before_request(_start)
    app.after_request(_count)


def exposition() -> bytes:
    """All figures of all workers, in Prometheus' text format."""
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    _figures()
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


@cache
def _figures() -> tuple[Counter, Histogram]:
    # Imported late because the library decides at import, by an environment variable that the
    # server sets for its workers, whether several processes count together.
    from prometheus_client import Counter, Histogram

    return (
        Counter("http_requests", "Requests answered", ("method", "endpoint", "status")),
        Histogram(
            "http_request_seconds",
            "Time to answer, in seconds",
            ("endpoint",),
            buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1, 5),
        ),
    )


def _start() -> None:
    g.began = time.perf_counter()


def _count(response: Response) -> Response:
    requests, seconds = _figures()
    endpoint = request.endpoint or "none"
    method = request.method if request.method in _METHODS else "other"
    requests.labels(method, endpoint, str(response.status_code)).inc()
    if "began" in g:
        seconds.labels(endpoint).observe(time.perf_counter() - g.began)
    return response
