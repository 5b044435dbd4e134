"""Trust the access tokens of loguserapp in a Django program: copy this file into your own.

SimpleJWT checks signature, issuer, audience and times by its own settings. This adds what it leaves
out (the header's `typ`, `type`, logouts) and fetches the keys within bounds.

    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["loguserapp.Authentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "EXCEPTION_HANDLER": "loguserapp.problem",
    }
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import math
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from rest_framework import exceptions, status
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.state import token_backend

if TYPE_CHECKING:
    from rest_framework.response import Response

# How far the clocks of the service and of this machine may be apart, in seconds.
LEEWAY: int = settings.SIMPLE_JWT["LEEWAY"]
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

log = logging.getLogger("loguserapp")


class Refused(exceptions.AuthenticationFailed):
    """The token is refused; the code says why."""


class TokenInvalid(Refused):
    """Something is wrong with the token."""

    default_code = "token_invalid"
    default_detail = "The access token is invalid."


class TokenExpired(Refused):
    """The token was good once."""

    default_code = "token_expired"
    default_detail = "The access token has expired."


class TokenRevoked(Refused):
    """The session of the token has ended."""

    default_code = "token_revoked"
    default_detail = "The access token has been revoked."


class Unavailable(exceptions.APIException):
    """The service has not answered since this program started."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "service_unavailable"
    default_detail = "The login service cannot be reached."
    wait = 5  # becomes Retry-After


class Authentication(JWTAuthentication):
    """Let those in who send a good access token, as `request.user` and `request.auth`."""

    def get_raw_token(self, header: bytes) -> bytes | None:
        """The token of the Authorization header, whose scheme may be in any case."""
        scheme, _, token = header.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        # PyJWT passes over what stands in no token, such as the comma between two headers.
        if not TOKEN.fullmatch(token.strip(" ")):
            raise TokenInvalid
        return token.strip(" ").encode()

    def get_validated_token(self, raw_token: bytes) -> AccessToken:
        """The token, if it is good and its session has not ended."""
        try:
            token = AccessToken(raw_token)
        except ExpiredTokenError:
            raise TokenExpired from None
        except (TokenError, RecursionError):  # the latter by a header of nested arrays
            raise TokenInvalid from None
        if token["sid"] in revoked.get(REVOKED_MAX_AGE):
            raise TokenRevoked
        return token

    def get_user(self, validated_token: AccessToken) -> Any:
        """The row of the person here, created at the first sight of the account.

        Django's forms take no colon in a username, so that nobody can register one beforehand.
        """
        users = get_user_model().objects
        user, _ = users.get_or_create(
            username=f"loguserapp:{validated_token['sub']}",
            defaults={"password": make_password(None)},
        )
        if not user.is_active:
            raise exceptions.PermissionDenied
        return user


class AccessToken(tokens.AccessToken):
    """SimpleJWT's access token, and which claims must be there."""

    def __str__(self) -> str:
        """The token as it came: this program has no key to sign it anew, as SimpleJWT would."""
        return self.token.decode()

    def verify(self) -> None:
        """Check what SimpleJWT leaves out."""
        super().verify()
        if self.payload.get("type") != "access":
            raise TokenError("not an access token")
        if any(self.payload.get(claim) is None for claim in ("nbf", "sub", "sid")):
            raise TokenError("a claim is missing")


class Keys:
    """The keys of the service, in place of PyJWKClient.

    That one bounds neither the size of an answer nor its whole time, and forgets its keys after
    five minutes even if the service is away.
    """

    def get_signing_key_from_jwt(self, token: bytes) -> jwt.PyJWK:
        """The key of the token, fetched if it is new."""
        header = jwt.get_unverified_header(token)
        if header.get("alg") != "ES256" or header.get("typ") != "at+jwt":
            raise jwt.InvalidTokenError("not an access token")
        kid = header.get("kid")
        key: jwt.PyJWK | None = keys.get(KEYS_MAX_AGE).get(kid) or keys.get(KEYS_COOLDOWN).get(kid)
        if key is None:
            raise jwt.PyJWKClientError("unknown key")
        return key


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """A refusal as problem details (RFC 9457) with the challenge of RFC 6750."""
    from rest_framework.views import exception_handler  # which imports this file

    answer = exception_handler(error, context)
    if isinstance(error, exceptions.NotAuthenticated):
        code, challenge, detail = "token_missing", "Bearer", "An access token is required."
    elif isinstance(error, Refused | Unavailable):
        code, challenge, detail = error.get_codes(), 'Bearer error="invalid_token"', error.detail
    else:
        return answer
    answer.data = {
        "type": "about:blank",
        "title": answer.status_text,
        "status": answer.status_code,
        "detail": detail,
        "code": code,
    }
    answer.content_type = "application/problem+json"
    answer["Cache-Control"] = "no-store"
    if answer.status_code == status.HTTP_401_UNAUTHORIZED:
        answer["WWW-Authenticate"] = challenge
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


keys = Document(settings.SIMPLE_JWT["JWK_URL"], 64 * 1024, read_keys)
revoked = Document(settings.LOGUSERAPP_REVOKED_URL, 10 * 1024 * 1024, read_revoked)
token_backend.jwks_client = Keys()
