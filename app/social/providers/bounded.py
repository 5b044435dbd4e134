"""Bounds for the answers of a provider: a deadline for the whole answer, and a size.

The timeout of Requests applies to each read, so a provider that sends a byte every few seconds
never exceeds it. Here a timer shuts the socket down when the deadline has passed.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from authlib.integrations.requests_client import OAuth2Session
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

# Seconds from the connection to the end of the answer.
DEADLINE = 5.0
MAX_BYTES = 1_000_000
_PIECE = 16_384


class AnswerTooLongError(RequestException):
    """The answer is larger than `MAX_BYTES`."""


class _Deadlines(threading.local):
    """The sockets that this thread has open for one answer."""

    def __init__(self) -> None:
        self._watched: list[tuple[threading.Timer, socket.socket]] = []

    def watch(self, connected: socket.socket) -> None:
        """Shut a socket down after `DEADLINE` seconds, unless `end` is called first."""
        # A second descriptor: the first one may be closed, and its number be another's by then.
        watched = connected.dup()
        timer = threading.Timer(DEADLINE, _shut, [watched])
        timer.daemon = True
        timer.start()
        self._watched.append((timer, watched))

    def end(self) -> None:
        """Stop the timers: the answer is complete, or failed."""
        while self._watched:
            timer, watched = self._watched.pop()
            timer.cancel()
            watched.close()


_deadlines = _Deadlines()


class _Deadline:
    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        _deadlines.watch(connected)
        return connected


class _Connection(_Deadline, HTTPConnection):
    pass


class _TLSConnection(_Deadline, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class BoundedAdapter(HTTPAdapter):
    """The transport adapter of Requests; each connection carries one answer."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Use connections that have a deadline."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """Send a request and return its answer, read as a whole.

        Raises:
            AnswerTooLongError: the answer is larger than `MAX_BYTES`.
            RequestException: the answer is late, or not HTTP.

        """
        request.headers["Connection"] = "close"
        try:
            response = super().send(request, *args, **options | {"stream": True})
            response._content = _whole(response)
        finally:
            _deadlines.end()
        return response


class BoundedSession(OAuth2Session):  # type: ignore[misc]
    """The HTTP session with which Authlib calls a provider."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter())


def _whole(response: Response) -> bytes:
    body = bytearray()
    with response:
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > MAX_BYTES:
                raise AnswerTooLongError("the answer is too long")
    return bytes(body)


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):  # the peer was first, or the answer just in time
        connected.shutdown(socket.SHUT_RDWR)
