"""Figures for Prometheus: requests by address, method and status, and how long they took."""

from __future__ import annotations

import os
import threading
import time
from functools import cache
from typing import TYPE_CHECKING

from flask import request

from app.service import BEGAN, Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from prometheus_client import Counter, Histogram

    from app.service import Headers

_METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}
_making = threading.Lock()


def init_app(app: Service) -> None:
    """Count and time every request."""
    app.finishers.append(_count)


def exposition() -> bytes:
    """All figures of all workers, in Prometheus' text format."""
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    with _making:
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


@cache
def _figures_of(method: str, endpoint: str, status: str) -> tuple[Counter, Histogram]:
    with _making:  # the library takes no name twice, and many threads get here first
        requests, seconds = _figures()
        return requests.labels(method, endpoint, status), seconds.labels(endpoint)


def _count(environ: WSGIEnvironment, status: str, _headers: Headers) -> None:
    method = environ["REQUEST_METHOD"]
    requests, seconds = _figures_of(
        method if method in _METHODS else "other", request.endpoint or "none", status[:3]
    )
    requests.inc()
    seconds.observe(time.perf_counter() - environ[BEGAN])
