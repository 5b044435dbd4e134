"""A small HTTP client for real servers: one keep-alive connection, so one worker."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """A connection to a server; whatever it sends reaches the same worker."""

    def __init__(self, url: str, timeout: float = 30) -> None:
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, method: str, path: str, token: str | None = None, **fields: str) -> Answer:
        """Send a urlencoded form (none without fields) and read the whole answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = None
        if fields:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields)
        self._http.request(method, path, body, headers)
        response = self._http.getresponse()
        return Answer(response.status, response.headers, response.read())


def once(url: str, method: str, path: str, token: str | None = None, **fields: str) -> Answer:
    """Send one request over a connection of its own."""
    with Connection(url) as connection:
        return connection.send(method, path, token, **fields)
