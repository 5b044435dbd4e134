"""The pages' cookies beside the session: kept for a year, for this host and HTTP alone.

With https their names begin with `__Host-`, so that no other host can set them (RFC 6265bis
§4.1.3.2).
"""

from __future__ import annotations

from flask import request
from werkzeug.wrappers import Response

from app.config import settings

MAX_AGE = 365 * 24 * 3600


def read(name: str) -> str | None:
    """The value that the browser sent."""
    return request.cookies.get(full_name(name, https=settings().https))


def keep(response: Response, name: str, value: str) -> None:
    """Have the browser keep a value."""
    https = settings().https
    response.set_cookie(
        full_name(name, https=https),
        value,
        max_age=MAX_AGE,
        secure=https,
        httponly=True,
        samesite="Lax",
    )


def forget(response: Response, name: str) -> None:
    """Have the browser forget a value."""
    https = settings().https
    response.delete_cookie(
        full_name(name, https=https), secure=https, httponly=True, samesite="Lax"
    )


def full_name(name: str, *, https: bool) -> str:
    """The name under which the browser keeps a value."""
    return f"__Host-{name}" if https else name
