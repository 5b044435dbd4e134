"""The network between a program and the service, which a test may slow, break or take away."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from tests.support.environment import free_port

KEYS = "/.well-known/jwks.json"
REVOKED = "/api/auth/revoked"
_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"

Answering = Callable[[BaseHTTPRequestHandler], None]


class Gateway:
    """Passes requests on to the service, unless it is told to answer otherwise or is closed."""

    def __init__(self, service: str) -> None:
        self._service = urlsplit(service).netloc
        self._port = free_port()
        self._answers: dict[str, Answering] = {}
        self._server: ThreadingHTTPServer | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        # Every request: when, to which path, and whether it named an ETag.
        self.asked: list[tuple[float, str, bool]] = []

    def __enter__(self) -> Gateway:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
            Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections, as a host does whose service is down."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str, answering: Answering | None = None) -> None:
        """Answer a path in this way from now on; None passes requests on again."""
        if answering is None:
            self._answers.pop(path, None)
        else:
            self._answers[path] = answering

    def restore(self) -> None:
        """Pass everything on again."""
        self._answers.clear()
        self.open()

    def times(self, path: str) -> list[float]:
        return [when for when, asked, _ in self.asked if asked == path]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                named_etag = "If-None-Match" in self.headers
                path = self.path.rstrip("/")
                gateway.asked.append((time.monotonic(), path, named_etag))
                answering = gateway._answers.get(path, gateway._pass_on)
                try:
                    answering(self)
                except OSError:  # the program hung up, as it should
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        # A program that went away is not waited for.
        ThreadingHTTPServer.daemon_threads = True
        ThreadingHTTPServer.block_on_close = False
        return Handler

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        connection = http.client.HTTPConnection(self._service, timeout=10)
        try:
            connection.request("GET", handler.path, headers=dict(handler.headers))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


def text(body: str, status: int = 200, kind: str = "application/json") -> Answering:
    def answering(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(status)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answering


def document(value: Any) -> Answering:
    return text(json.dumps(value))


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until the program hangs up."""
    handler.connection.recv(1)


def drip(
    handler: BaseHTTPRequestHandler, head: bytes = _HEAD + b"\r\n", byte: bytes = b" "
) -> None:
    """Send a byte every tenth of a second until the program hangs up, at most for a minute."""
    handler.wfile.write(head)
    for _ in range(600):
        handler.wfile.write(byte)
        time.sleep(0.1)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    drip(handler, _HEAD + b"X-Slow: ", b"x")


def huge(handler: BaseHTTPRequestHandler) -> None:
    """100 MB that begin like a good answer."""
    handler.wfile.write(_HEAD + b'\r\n{"keys":[],"revoked":[')
    for _ in range(100):
        handler.wfile.write(b" " * 1_000_000)
    handler.wfile.write(b"]}")


def redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response_only(302)
    handler.send_header("Location", f"http://{handler.headers['Host']}/elsewhere")
    handler.end_headers()
