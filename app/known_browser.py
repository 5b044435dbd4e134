"""The browsers that an account's owner has used before, known by a cookie of their own.

Failed logins elsewhere, or of others at the same address, do not lock the owner out of them. The
cookie is signed, outlives logging out, and is of pages alone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from flask import Flask, Response, current_app, g, request
from itsdangerous import BadData, URLSafeTimedSerializer

MAX_ACCOUNTS = 10
MAX_AGE = 365 * 24 * 3600
_PURPOSE = "known browser"


def id_for(user_id: int) -> str | None:
    """The id of this browser if the account has logged in here before, else None."""
    known = _read()
    return known["id"] if _mark(known["id"], user_id) in known["accounts"] else None


def remember(user_id: int) -> None:
    """Know this browser as one of the account's from this answer on."""
    known = _read()
    mark = _mark(known["id"], user_id)
    others = [other for other in known["accounts"] if other != mark]
    g.known_browser = {"id": known["id"], "accounts": [mark, *others][:MAX_ACCOUNTS]}


def init_app(app: Flask) -> None:
    """Let answers set the cookie."""
    secret: bytes = app.extensions["secret"]
    app.extensions["known_browser_key"] = hmac.digest(secret, _PURPOSE.encode(), "sha256")
    app.after_request(_set_cookie)


def _read() -> dict[str, Any]:
    if "known_browser" in g:
        known: dict[str, Any] = g.known_browser
        return known
    try:
        known = _serializer().loads(request.cookies.get(_cookie_name(), ""), max_age=MAX_AGE)
    except BadData:
        known = {"id": secrets.token_urlsafe(12), "accounts": []}
    return known


def _set_cookie(response: Response) -> Response:
    if "known_browser" in g:
        response.set_cookie(
            _cookie_name(),
            _serializer().dumps(g.known_browser),
            max_age=MAX_AGE,
            secure=current_app.extensions["settings"].https,
            httponly=True,
            samesite="Lax",
        )
    return response


def _cookie_name() -> str:
    return "__Host-known" if current_app.extensions["settings"].https else "known"


def _serializer() -> URLSafeTimedSerializer:
    key: bytes = current_app.extensions["known_browser_key"]
    signer = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeTimedSerializer(key, salt=_PURPOSE, signer_kwargs=signer)


def _mark(browser: str, user_id: int) -> str:
    """What the cookie says of an account: nothing that tells which, nor links two browsers."""
    key: bytes = current_app.extensions["known_browser_key"]
    return hmac.digest(key, f"{browser} {user_id}".encode(), "sha256")[:12].hex()
