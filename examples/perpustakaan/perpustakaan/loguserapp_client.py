"""How this program calls loguserapp."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, current_app, has_request_context, request

from perpustakaan import loguserapp
from perpustakaan.problems import Unavailable

# Seconds for a whole answer.
_DEADLINE = 4.0
_MAX_BYTES = 64 * 1024
_CIRCUIT = "loguserapp_circuit"


class Circuit:
    """Lets one call at a time try a service that did not answer the last one.

    The others are refused at once, so that a silent service does not hold every thread.
    """

    def __init__(self) -> None:
        self._is_silent = False
        self._trying = threading.Lock()

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Guard a call, which raises Unavailable where there is no answer.

        Raises:
            Unavailable: the last call had no answer, and another one is trying.

        """
        is_trial = self._is_silent
        if is_trial and not self._trying.acquire(blocking=False):
            raise Unavailable
        try:
            yield
        except Unavailable:
            self._is_silent = True
            raise
        else:
            self._is_silent = False
        finally:
            if is_trial:
                self._trying.release()


def init_app(app: Flask) -> None:
    """Let the kit trust the tokens of the loguserapp that the settings name."""
    loguserapp.URL = app.config["LOGUSERAPP_URL"]
    loguserapp.INTERNAL_URL = internal = app.config["LOGUSERAPP_INTERNAL_URL"]
    loguserapp.keys = loguserapp.Document(
        f"{internal}/.well-known/jwks.json", 64 * 1024, loguserapp.read_keys
    )
    loguserapp.revoked = loguserapp.Document(
        f"{internal}/api/auth/revoked/", 10 * 1024 * 1024, loguserapp.read_revoked
    )
    app.extensions[_CIRCUIT] = Circuit()


def call(
    method: str, path: str, token: str = "", form: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Call loguserapp and return the status and the JSON object of the answer.

    Args:
        method: of HTTP.
        path: such as `/api/auth/me/`.
        token: an access token.
        form: sent as application/x-www-form-urlencoded.

    Raises:
        Unavailable: no answer in time, or one of 429, 5xx or that is no JSON object.

    """
    circuit: Circuit = current_app.extensions[_CIRCUIT]
    with circuit.call():
        try:
            status, body = _exchange(method, path, token, form)
            document = json.loads(body)
        except (OSError, http.client.HTTPException, ValueError, RecursionError):
            raise Unavailable from None
    if status == 429 or status >= 500 or not isinstance(document, dict):
        raise Unavailable
    return status, document


def _exchange(
    method: str, path: str, token: str, form: Mapping[str, str] | None
) -> tuple[int, bytes]:
    parts = urlsplit(current_app.config["LOGUSERAPP_INTERNAL_URL"])
    is_tls = parts.scheme == "https"
    connect = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
    connection = connect(parts.netloc, timeout=_DEADLINE)
    headers = {"Accept": "application/json"}
    if has_request_context() and (agent := request.headers.get("User-Agent")):
        headers["User-Agent"] = agent  # the person's list of devices then names the browser
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    end = time.monotonic() + _DEADLINE
    with contextlib.closing(connection):
        connection.connect()
        # A time-out alone begins again with each byte.
        left = max(0, end - time.monotonic())
        timer = threading.Timer(left, loguserapp.hang_up, [connection.sock])
        timer.daemon = True
        timer.start()
        try:
            body = urlencode(form) if form is not None else None
            connection.request(method, parts.path + path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_MAX_BYTES)
        finally:
            timer.cancel()
