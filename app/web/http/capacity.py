"""Capacity limits: the share of a worker's threads that one client network may hold.

They apply even with RATELIMIT_ENABLED=false. A request holds a thread until it is answered, and
one with a slow body holds it longest; so the requests in progress of one network get a share of
the threads, and those still sending their body a smaller one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import request
from werkzeug.exceptions import RequestTimeout
from werkzeug.wsgi import ClosingIterator

from app import audit
from app.audit import Fault
from app.config import settings
from app.core.environ import ANSWERED, BEGAN, PROTOCOL, READ_BODY
from app.core.errors import ServiceUnavailableError
from app.core.networks import network
from app.core.silent_connections import close_silent_connections
from app.core.threads import pids_max, threads_per_worker
from app.web.errors.problems import from_http_error
from app.web.http.flask_app import Application

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BODY_SECONDS = 10
_CHECK_SECONDS = 0.25
_LEISURE_SECONDS = 10
_NETWORK, _REFUSED = "loguserapp.network", "loguserapp.refused"


class OverloadError(ServiceUnavailableError):
    """The client's network has too many requests in progress."""

    detail = "Too many requests from your network are in progress. Try again in a few seconds."
    retry_after = 2


class ConcurrencyLimit:
    """Counts what each network has in progress, up to a limit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def take(self, name: str) -> bool:
        """Acquire one place; return False if the network holds all of its places."""
        with self._lock:
            count = self._counts.get(name, 0)
            if count == self._most:
                return False
            self._counts[name] = count + 1
            return True

    def give_back(self, name: str) -> None:
        """Release one place."""
        with self._lock:
            count = self._counts[name]
            if count == 1:
                del self._counts[name]
            else:
                self._counts[name] = count - 1


class CapacityMiddleware:
    """WSGI middleware that counts requests by the network of their client.

    Args:
        service: answers a request beyond its network's share with 503.
        app: what this is wrapped around.
        threads: with which the worker answers requests.

    """

    def __init__(self, service: Application, app: WSGIApplication, threads: int) -> None:
        self._service, self._app = service, app
        self._requests, self._bodies = (
            ConcurrencyLimit(threads * 3 // 4),
            ConcurrencyLimit(threads // 8),
        )
        # The requests whose body is coming. The one who takes a request out decides its answer.
        self._coming: dict[int, WSGIEnvironment] = {}
        self._starting = threading.Lock()
        self._watch: threading.Thread | None = None

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if self._watch is None and PROTOCOL in environ:
            self._start_watch()
        name = network(environ.get("REMOTE_ADDR", ""))
        environ[_NETWORK], environ[READ_BODY] = name, self.read
        if not self._requests.take(name):
            environ[_REFUSED] = True
            return self._app(environ, start)
        try:
            body = self._app(environ, start)
        except BaseException:
            self._requests.give_back(name)
            raise
        if isinstance(body, list):
            self._requests.give_back(name)
            return body
        return ClosingIterator(body, lambda: self._requests.give_back(name))

    def read(self, environ: WSGIEnvironment, size: int) -> bytes:
        """Read a body of up to `size` bytes, which has `BODY_SECONDS` from the request's begin.

        The thread waits in Granian, which knows no deadline. So another one answers in time; this
        one is free again when the client goes on, goes away or is cut off.

        Raises:
            OverloadError: too many bodies of the client's network are coming.
            RequestTimeout: the body took longer.

        """
        name, key = environ[_NETWORK], id(environ)
        if not self._bodies.take(name):
            raise OverloadError
        self._coming[key] = environ
        try:
            body: bytes = environ["wsgi.input"].read(size)
        finally:
            is_mine = self._coming.pop(key, None) is not None
            self._bodies.give_back(name)
        if not is_mine or _is_late(environ):
            raise RequestTimeout
        return body

    def _start_watch(self) -> None:
        with self._starting:  # in the worker, since a thread does not survive a fork
            if self._watch is None:
                self._watch = threading.Thread(target=self._watch_loop, name="bodies", daemon=True)
                self._watch.start()

    def _watch_loop(self) -> None:
        port = settings.of(self._service).port
        cleared = time.monotonic()
        while True:
            time.sleep(_CHECK_SECONDS)
            try:
                self._answer_late_ones()
                if time.monotonic() - cleared > _LEISURE_SECONDS:
                    close_silent_connections(port)
                    cleared = time.monotonic()
            except Exception as error:  # noqa: BLE001 - the next bodies need a watch
                fault = type(error).__name__
                audit.record(Fault.BODY_WATCH_FAILED, error=fault, exc_info=error)

    def _answer_late_ones(self) -> None:
        for key, environ in list(self._coming.items()):
            if _is_late(environ) and self._coming.pop(key, None) is not None:
                with self._service.request_context(environ):
                    response = from_http_error(RequestTimeout())
                    headers = list(response.get_wsgi_headers(environ))
                    self._service.run_response_hooks(environ, response.status, headers)
                environ[ANSWERED] = True
                environ[PROTOCOL].response_bytes(response.status_code, headers, response.get_data())


def init_app(app: Application) -> None:
    """Count the requests of each network. What believes proxies must come around this."""
    threads = threads_per_worker(settings.of(app), pids_max())
    app.wsgi_app = CapacityMiddleware(app, app.wsgi_app, threads)  # type: ignore[assignment, method-assign]
    app.before_request(_refuse_beyond_share)


def _refuse_beyond_share() -> None:
    if _REFUSED in request.environ:
        raise OverloadError


def _is_late(environ: WSGIEnvironment) -> bool:
    began: float = environ[BEGAN]
    return time.perf_counter() - began > BODY_SECONDS
