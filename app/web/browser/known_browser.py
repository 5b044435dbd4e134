"""Known browsers: where the owner of an account has logged in before, by a cookie of its own.

Failed logins elsewhere, or by others at the same address, do not lock the owner out there. The
cookie is signed, survives logging out, and is set by pages only.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from flask import Flask, Response, g
from itsdangerous import BadData, URLSafeTimedSerializer

from app.services import Service
from app.web.browser import cookies

MAX_ACCOUNTS = 10
_COOKIE = "known"
_SALT = "known browser"
_key = Service[bytes]("key of the known-browser cookie")


def id_for(user_id: int) -> str | None:
    """The id of this browser if the account has logged in here before, else None."""
    known = _read()
    return known["id"] if _mark(known["id"], user_id) in known["accounts"] else None


def remember(user_id: int) -> None:
    """Remember this browser for the account, from this response on."""
    known = _read()
    mark = _mark(known["id"], user_id)
    others = [other for other in known["accounts"] if other != mark]
    g.known_browser = {"id": known["id"], "accounts": [mark, *others][:MAX_ACCOUNTS]}


def init_app(app: Flask, key: bytes) -> None:
    """Set the cookie on responses.

    Args:
        app: the application.
        key: what signs the cookie.

    """
    _key.bind(app, key)
    app.after_request(_set_cookie)


def _read() -> dict[str, Any]:
    if "known_browser" in g:
        known: dict[str, Any] = g.known_browser
        return known
    try:
        known = _serializer().loads(cookies.read(_COOKIE) or "", max_age=cookies.MAX_AGE)
    except BadData:
        known = {"id": secrets.token_urlsafe(12), "accounts": []}
    return known


def _set_cookie(response: Response) -> Response:
    if "known_browser" in g:
        cookies.keep(response, _COOKIE, _serializer().dumps(g.known_browser))
    return response


def _serializer() -> URLSafeTimedSerializer:
    signer = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeTimedSerializer(_key(), salt=_SALT, signer_kwargs=signer)


def _mark(browser: str, user_id: int) -> str:
    """The cookie's mark of an account, which neither names it nor links two browsers."""
    return hmac.digest(_key(), f"{browser} {user_id}".encode(), "sha256")[:12].hex()
