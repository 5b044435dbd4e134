"""Is this a browser or a program, and the reply for each."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import (
    Response,
    current_app,
    has_request_context,
    make_response,
    render_template,
    request,
)

from app import known_browser
from app.accounts.hashing import Turn
from app.accounts.sessions import Origin
from app.accounts.users import Profile
from app.config import settings
from app.service import REQUEST_ID, WholeResponse

# Under this prefix there are only programs, whatever they say they accept.
_PROGRAMS_ONLY = "/api/"
_BROWSER = "loguserapp.browser"
# What is the same for every client: no cookie is read or set there.
_PUBLIC = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/.well-known/jwks.json"}
# Beyond what any browser sends; reading a longer one takes long.
_LONGEST_ACCEPT = 2048


def is_browser() -> bool:
    """Whether a person's browser asks: its Accept prefers HTML to JSON."""
    environ = request.environ
    if _BROWSER not in environ:
        environ[_BROWSER] = "html" in environ.get("HTTP_ACCEPT", "") and _prefers_html()
    answer: bool = environ[_BROWSER]
    return answer


def is_public(path: str) -> bool:
    """Whether what is at this path is the same for every client."""
    return path.startswith("/static/") or path.rstrip("/") in _PUBLIC


def has_session() -> bool:
    """Whether the request may read and set the browser's cookie."""
    return is_browser() and not is_public(request.path)


def origin() -> Origin:
    """Where the request comes from; forwarded addresses only from trusted proxies."""
    address, program = request.remote_addr or "", request.user_agent.string
    if is_browser():
        return Origin(address, program, known_browser.id_for)
    return Origin(address, program)


def turn(account: str) -> Turn:
    """For whom this request hashes a password: the client's address, then the account."""
    return Turn(origin().address, account)


def page(template: str, status: int = 200, /, **context: Any) -> Response:
    """Reply with a page."""
    return make_response(render_template(template, **context), status)


def data(body: Any, status: int = 200) -> Response:
    """Reply with JSON."""
    text = current_app.json.dumps(body, separators=(",", ":"))
    return WholeResponse(f"{text}\n", status, content_type="application/json")


def registered(profile: Profile) -> Response:
    """Tell a program that an account is made, and where it is."""
    user = {"id": profile.id, "username": profile.username, "email": profile.email}
    response = data({"message": "User registered successfully", "user": user}, 201)
    response.headers["Location"] = f"{settings().public_url}/api/auth/me/"
    return response


def local_path(text: str | None, default: str = "/") -> str:
    """The address to go on to, if it is surely one of this site, else the default.

    Browsers read a backslash as a slash and skip tabs and line ends, so that any of them could
    turn a path into another host (ASVS 5.0, 3.7.2).
    """
    if not text or not text.startswith("/") or text.startswith("//") or not text.isprintable():
        return default
    if "\\" in text or not text.isascii() or " " in text:
        return default
    try:
        parts = urlsplit(text)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else text


def request_id() -> str | None:
    """The number under which the log knows this request."""
    return request.environ.get(REQUEST_ID) if has_request_context() else None


def _prefers_html() -> bool:
    if request.path.startswith(_PROGRAMS_ONLY):
        return False
    header = request.environ["HTTP_ACCEPT"]
    if len(header) > _LONGEST_ACCEPT:
        return False
    accept = request.accept_mimetypes
    html = accept["text/html"]
    json = max(accept["application/json"], accept["application/problem+json"])
    # Older browsers ask for "text/html, */*": of two that are equal the one named comes first.
    return html > json or (html == json > 0 and "json" not in header)
