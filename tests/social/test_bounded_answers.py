"""A provider that drips or never stops: one deadline for the whole answer, and one megabyte."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from requests import RequestException
from urllib3.exceptions import HTTPError

from app.social.providers import bounded
from app.social.providers.bounded import AnswerTooLongError, BoundedSession

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def answering(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that answers every connection in this way, until the block ends."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    try:
                        answer(connection, done)
                    except OSError:  # the client went away, as it should
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            done.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)


def get(url: str) -> bytes:
    with BoundedSession("client", "secret") as session:
        found: bytes = session.request(
            "GET", url, withhold_token=True, timeout=bounded.DEADLINE
        ).content
        return found


def drip(head: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def answer(connection: socket.socket, done: threading.Event) -> None:
        connection.sendall(head)
        while not done.wait(0.05):
            connection.sendall(b"x")

    return answer


@pytest.mark.system
@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD + b"Content-Length: 100000\r\n\r\n", HEAD + b"\r\n"],
    ids=["status line", "headers", "body", "body without a length"],
)
def test_an_answer_that_drips_ends_at_the_deadline(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "DEADLINE", 0.5)
    with answering(drip(head)) as url:
        began = time.monotonic()
        with suppress(RequestException, HTTPError):
            get(url)
        assert 0.4 < time.monotonic() - began < 2


@pytest.mark.parametrize("length", ["Content-Length: 2000000\r\n", ""])
def test_an_answer_of_more_than_a_megabyte_is_refused(length: str) -> None:
    def answer(connection: socket.socket, _done: threading.Event) -> None:
        connection.sendall(HEAD + length.encode() + b"\r\n" + b"x" * 2_000_000)

    with answering(answer) as url, pytest.raises(AnswerTooLongError):
        get(url)


def test_an_ordinary_answer_arrives_whole() -> None:
    def answer(connection: socket.socket, _done: threading.Event) -> None:
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")

    with answering(answer) as url:
        assert [get(url) for _ in range(3)] == [b"{}"] * 3
    assert bounded._deadlines._watched == []
