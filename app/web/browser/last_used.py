"""The way of logging in that was used last in this browser, for a mark on the pages' buttons.

The cookie holds the name of the way and nothing else: it is neither signed nor believed.
"""

from __future__ import annotations

from flask import Response, after_this_request

from app.config import settings
from app.web.browser import cookies

PASSWORD = "password"
_COOKIE = "last"


def remember(method: str) -> None:
    """Remember a way of logging in, where there are several: `PASSWORD`, or a provider's name."""
    if not settings().providers:
        return

    @after_this_request
    def set_cookie(response: Response) -> Response:
        cookies.keep(response, _COOKIE, method)
        return response


def method() -> str | None:
    """The way that was used last in this browser, if it is still offered."""
    stored = cookies.read(_COOKIE)
    return stored if stored in {PASSWORD, *settings().providers} else None
