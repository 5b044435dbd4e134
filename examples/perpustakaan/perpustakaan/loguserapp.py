"""Trust the access tokens of loguserapp in a Flask program: copy this file into your own.

@app.get("/orders")
@token_required
def orders():
    return orders_of(g.user)  # the number of the account, as text
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import math
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import jwt
from flask import Response, g, jsonify, request

# The PUBLIC_URL of the service, and where this program reaches it.
URL = os.environ.get("LOGUSERAPP_URL", "http://127.0.0.1:5000").rstrip("/")
INTERNAL_URL = os.environ.get("LOGUSERAPP_INTERNAL_URL", URL).rstrip("/")

# How far the clocks of the service and of this machine may be apart, in seconds.
LEEWAY = 150
# The age at which the revoked list is asked for again, in seconds.
REVOKED_MAX_AGE = 1
# The age at which the keys are asked for again, in seconds: a retired key is refused by then.
KEYS_MAX_AGE = 300
# How often an unknown key may cause a fetch of the keys, in seconds.
KEYS_COOLDOWN = 10
# How soon a fetch that failed is tried again, in seconds.
RETRY = 1
# The time for a whole answer of the service, and how long others wait for the one who asks.
DEADLINE = 2.0
PATIENCE = 0.2

TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

DETAILS = {
    "token_missing": "An access token is required.",
    "token_invalid": "The access token is invalid.",
    "token_expired": "The access token has expired.",
    "token_revoked": "The access token has been revoked.",
    "service_unavailable": "The login service cannot be reached.",
}
log = logging.getLogger("loguserapp")


class Refused(Exception):
    """The request is refused; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Unavailable(Refused):
    """The service has not answered since this program started."""

    def __init__(self) -> None:
        super().__init__("service_unavailable")


def token_required(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let those in who send a good access token, as `g.user` and `g.claims`."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            g.claims = verify(bearer_token())
        except Refused as refused:
            return problem(refused.code)
        g.user = g.claims["sub"]
        return view(*args, **kwargs)

    return guarded


def bearer_token() -> str:
    """The token of the Authorization header; neither cookie nor query counts."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refused("token_missing")
    return token.strip(" ")


def verify(token: str) -> dict[str, Any]:
    """The claims of a good access token.

    Raises:
        Refused: the token is not good, or the service has never answered.

    """
    # PyJWT passes over characters that stand in no token, such as the comma between two headers.
    if not TOKEN.fullmatch(token):
        raise Refused("token_invalid")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != "ES256" or header.get("typ") != "at+jwt":
            raise Refused("token_invalid")
        claims: dict[str, Any] = jwt.decode(
            token,
            find_key(header.get("kid")),
            algorithms=["ES256"],
            issuer=URL,
            audience=URL,
            leeway=LEEWAY,
            options={"require": ["exp", "nbf", "sub", "sid", "type"]},
        )
    except jwt.ExpiredSignatureError:
        raise Refused("token_expired") from None
    except (jwt.InvalidTokenError, RecursionError):  # the latter by a header of nested arrays
        raise Refused("token_invalid") from None
    if claims["type"] != "access":
        raise Refused("token_invalid")
    if claims["sid"] in revoked.get(REVOKED_MAX_AGE):
        raise Refused("token_revoked")
    return claims


def find_key(kid: str | None) -> jwt.PyJWK:
    """The key of this name, fetched if it is new."""
    key: jwt.PyJWK | None = keys.get(KEYS_MAX_AGE).get(kid) or keys.get(KEYS_COOLDOWN).get(kid)
    if key is None:
        raise Refused("token_invalid")
    return key


def problem(code: str) -> Response:
    """A refusal as problem details (RFC 9457) with the challenge of RFC 6750."""
    status = 503 if code == "service_unavailable" else 401
    answer = jsonify(
        type="about:blank",
        title="Service Unavailable" if status == 503 else "Unauthorized",
        status=status,
        detail=DETAILS[code],
        code=code,
    )
    answer.status_code = status
    answer.content_type = "application/problem+json"
    answer.headers["Cache-Control"] = "no-store"
    if status == 503:
        answer.headers["Retry-After"] = "5"
    else:
        error = "" if code == "token_missing" else ' error="invalid_token"'
        answer.headers["WWW-Authenticate"] = f"Bearer{error}"
    return answer


class Document:
    """A document of the service, kept in memory and asked for again by one request at a time."""

    def __init__(self, url: str, max_bytes: int, read: Callable[[bytes, Any], Any]) -> None:
        self._url = url
        self._max_bytes = max_bytes
        self._read = read  # makes the value of a body and of the former value
        self._value: Any = None
        self._etag = ""
        self._asked_at = -math.inf
        self._has_failed = False
        self._lock = threading.Lock()

    def get(self, max_age: float) -> Any:
        """The document, asked for again if it is older than `max_age` seconds.

        Raises:
            Unavailable: the service has never answered.

        """
        if self._is_due(max_age) and self._lock.acquire(timeout=self._patience()):
            try:
                if self._is_due(max_age):  # another request may have asked meanwhile
                    self._ask()
            finally:
                self._lock.release()
        if self._value is None:
            raise Unavailable
        return self._value

    def _is_due(self, max_age: float) -> bool:
        age = time.monotonic() - self._asked_at
        return age > (RETRY if self._has_failed else max_age)

    def _patience(self) -> float:
        if self._value is None:
            return DEADLINE
        return 0 if self._has_failed else PATIENCE

    def _ask(self) -> None:
        try:
            if changed := fetch(self._url, self._max_bytes, self._etag):
                etag, body = changed
                self._value, self._etag = self._read(body, self._value), etag
            self._has_failed = False
        except Exception as error:  # noqa: BLE001 - whatever is no good answer is none
            self._has_failed = True
            log.warning("no answer from %s: %r", self._url, error)
        finally:
            self._asked_at = time.monotonic()


def fetch(url: str, max_bytes: int, etag: str) -> tuple[str, bytes] | None:
    """A document and its ETag, or None if it is still that of the ETag given.

    A timer ends the answer, since a time-out alone begins again with each byte.
    """
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    connect = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
    connection = connect(parts.netloc, timeout=DEADLINE)
    began = time.monotonic()
    with contextlib.closing(connection):
        connection.connect()
        left = max(0, began + DEADLINE - time.monotonic())
        timer = threading.Timer(left, hang_up, [connection.sock])
        timer.daemon = True
        timer.start()
        try:
            connection.request("GET", parts.path, headers={"If-None-Match": etag} if etag else {})
            answer = connection.getresponse()
            body = answer.read(max_bytes + 1)
        finally:
            timer.cancel()
    if answer.status == 304 and etag:
        return None
    if answer.status != 200 or len(body) > max_bytes:
        raise ValueError(f"status {answer.status}, {len(body)} bytes")
    return answer.headers.get("ETag", ""), body


def hang_up(connected: socket.socket) -> None:
    """End the connection under a read that waits for it."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def read_keys(body: bytes, _before: Any) -> dict[str, jwt.PyJWK]:
    """The keys by name: those for ES256 alone."""
    usable = jwt.PyJWKSet.from_json(body.decode()).keys
    keys = {key.key_id: key for key in usable if key.key_id and key.algorithm_name == "ES256"}
    if not keys:
        raise ValueError("no key for ES256")
    return keys


def read_revoked(body: bytes, before: dict[str, float] | None) -> dict[str, float]:
    """The revoked sessions, each with the time at which its last token expires.

    A session that left the list stays here for the time in which `LEEWAY` could let its token in.
    """
    entries = json.loads(body)["revoked"]
    if not isinstance(entries, list):
        raise TypeError("not a list")
    listed = {str(each["sid"]): float(each["until"]) for each in entries}
    now = time.time()
    left = {sid: until for sid, until in (before or {}).items() if until + LEEWAY > now}
    return left | listed


keys = Document(f"{INTERNAL_URL}/.well-known/jwks.json", 64 * 1024, read_keys)
revoked = Document(f"{INTERNAL_URL}/api/auth/revoked/", 10 * 1024 * 1024, read_revoked)
