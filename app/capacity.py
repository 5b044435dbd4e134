"""What one client address may take of a worker, so that others are served: threads and time.

These limits hold whatever RATELIMIT_ENABLED says. A request keeps a thread until it is answered,
and one whose body comes slowly keeps it longest; so the requests of an address that are in
progress may have a share of the threads, and those whose body is still coming a smaller one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import request
from werkzeug.exceptions import RequestTimeout
from werkzeug.wsgi import ClosingIterator

from app.accounts.errors import AccountError
from app.errors import of_http_error
from app.network import network
from app.requests import READ_BODY
from app.service import ANSWERED, BEGAN, PROTOCOL, Service
from app.silence import close_silent_connections
from app.threads import pids_max, threads_per_worker

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)

BODY_SECONDS = 10
_LOOK_SECONDS = 0.25
_LEISURE_SECONDS = 10
_NETWORK, _REFUSED = "loguserapp.network", "loguserapp.refused"


class OverloadError(AccountError):
    """The client's address has as many requests in progress as it may."""

    code = "service_unavailable"
    detail = "Too many requests from your network are in progress. Try again in a few seconds."
    retry_after = 2


class Shares:
    """How many things each network has in progress, none more than its share."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def take(self, name: str) -> bool:
        """Count one more, and return True; or return False where all are taken."""
        with self._lock:
            count = self._counts.get(name, 0)
            if count == self._most:
                return False
            self._counts[name] = count + 1
            return True

    def give_back(self, name: str) -> None:
        """Count one less."""
        with self._lock:
            count = self._counts[name]
            if count == 1:
                del self._counts[name]
            else:
                self._counts[name] = count - 1


class Capacity:
    """WSGI middleware that counts requests by the network of their client.

    Args:
        service: answers a request beyond its network's share with 503.
        app: what this is wrapped around.
        threads: with which the worker answers requests.

    """

    def __init__(self, service: Service, app: WSGIApplication, threads: int) -> None:
        self._service, self._app = service, app
        self._requests, self._bodies = Shares(threads * 3 // 4), Shares(threads // 8)
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
                self._watch = threading.Thread(target=self._look, name="bodies", daemon=True)
                self._watch.start()

    def _look(self) -> None:
        port = self._service.extensions["settings"].port
        cleared = time.monotonic()
        while True:
            time.sleep(_LOOK_SECONDS)
            try:
                self._answer_late_ones()
                if time.monotonic() - cleared > _LEISURE_SECONDS:
                    close_silent_connections(port)
                    cleared = time.monotonic()
            except Exception:  # noqa: BLE001 - whatever it is, the next bodies need a watch
                _log.exception("the watch over slow bodies fails")

    def _answer_late_ones(self) -> None:
        for key, environ in list(self._coming.items()):
            if _is_late(environ) and self._coming.pop(key, None) is not None:
                with self._service.request_context(environ):
                    response = of_http_error(RequestTimeout())
                    headers = list(response.get_wsgi_headers(environ))
                    self._service.finish(environ, response.status, headers)
                environ[ANSWERED] = True
                environ[PROTOCOL].response_bytes(response.status_code, headers, response.get_data())


def init_app(app: Service) -> None:
    """Count the requests of each network. What believes proxies must come around this."""
    threads = threads_per_worker(app.extensions["settings"], pids_max())
    app.wsgi_app = Capacity(app, app.wsgi_app, threads)  # type: ignore[assignment, method-assign]
    app.before_request(_refuse_beyond_share)


def _refuse_beyond_share() -> None:
    if _REFUSED in request.environ:
        raise OverloadError


def _is_late(environ: WSGIEnvironment) -> bool:
    began: float = environ[BEGAN]
    return time.perf_counter() - began > BODY_SECONDS
