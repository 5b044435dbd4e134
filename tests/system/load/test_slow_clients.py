"""Clients that never finish what they began leave an ordinary one unharmed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from tests.support.http import once
from tests.support.servers import Server

BEGUN = {
    "nothing": b"",
    "half a head": b"POST /login HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "half a body": b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n"
    b"Content-Type: application/json\r\n\r\n{",
    "half a chunk": b"POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/json\r\n\r\nff\r\n{",
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.fixture
def server(
    sqlite_url: str, serve: Callable[..., AbstractContextManager[Server]]
) -> Iterator[Server]:
    with serve(sqlite_url, WORKERS="1") as server:
        yield server


@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN)
def test_two_hundred_of_them_keep_nobody_waiting(server: Server, begun: bytes) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(begun)
        for _ in range(20):
            assert once(server.url, "GET", "/resource").status == 401
