"""Figures for Prometheus: requests by address, method and status, and how long they took."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from flask import request

from app.core.environ import BEGAN
from app.web.http.flask_app import Application

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from prometheus_client import Counter, Histogram

    from app.web.http.flask_app import Headers

_METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}
_making = threading.Lock()


def init_app(app: Application) -> None:
    """Count and time every request."""
    app.response_hooks.append(_count)


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure that is looked up when it is asked for, and is the same for all workers.

    Attributes:
        name: by Prometheus' conventions.
        text: what it is.
        value: what it is now.

    """

    name: str
    text: str
    value: float


def exposition(readings: Iterable[Reading] = ()) -> bytes:
    """All figures of all workers, and these readings, in Prometheus' text format."""
    return _counted() + _read(readings)


def _read(readings: Iterable[Reading]) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import GaugeMetricFamily

    class Collector:
        # Not the library's `Gauge`, of which each worker would have a value of its own.
        def collect(self) -> Iterator[GaugeMetricFamily]:
            for each in readings:
                yield GaugeMetricFamily(each.name, each.text, each.value)

    registry = CollectorRegistry()
    registry.register(Collector())
    return generate_latest(registry)


def _counted() -> bytes:
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
