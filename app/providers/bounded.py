"""Answers of a provider with bounds: one deadline for the whole of it, and a size.

The time-out of Requests is for each read, so that a provider which sends a byte every few seconds
could go on for ever. Here the socket is shut when the deadline has passed, wherever the answer is.
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
    """The sockets that this thread has opened for the answer that it waits for."""

    def __init__(self) -> None:
        self._watched: list[tuple[threading.Timer, socket.socket]] = []

    def watch(self, connected: socket.socket) -> None:
        """Shut a socket when the time is over, unless `end` comes first."""
        # A second descriptor: the first one may be closed, and its number be another's by then.
        watched = connected.dup()
        timer = threading.Timer(DEADLINE, _shut, [watched])
        timer.daemon = True
        timer.start()
        self._watched.append((timer, watched))

    def end(self) -> None:
        """The answer is there, or given up."""
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
    """What a session of Requests sends with; the connection ends with the answer."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Use connections that have a deadline."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """Send a request and return its answer, read as a whole.

        Raises:
            AnswerTooLongError: it is larger than `MAX_BYTES`.
            RequestException: it did not come in time, or not as HTTP.

        """
        request.headers["Connection"] = "close"
        try:
            response = super().send(request, *args, **options | {"stream": True})
            response._content = _whole(response)
        finally:
            _deadlines.end()
        return response


class BoundedSession(OAuth2Session):  # type: ignore[misc]
    """What Authlib asks a provider with."""

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
