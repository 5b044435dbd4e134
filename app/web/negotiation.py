"""Content negotiation: pages for browsers, JSON for programs."""

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
from flask_babel import get_locale

from app.core.environ import REQUEST_ID
from app.passwords.hashing_pool import FlowKey
from app.sessions.origin import Origin
from app.web.browser import known_browser
from app.web.http.flask_app import WholeResponse

# Every client under this prefix is a program, whatever its Accept header.
_PROGRAMS_ONLY = "/api/"
_BROWSER = "loguserapp.browser"
# Paths with the same response for every client; no cookie is read or set.
_PUBLIC = {
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/.well-known/jwks.json", "/logo",
    "/api/auth/revoked",
    "/favicon.ico", "/apple-touch-icon.png", "/site.webmanifest", "/robots.txt",
}  # fmt: skip
# Characters; no browser sends more, and parsing a longer one is slow.
_LONGEST_ACCEPT = 2048


def is_browser() -> bool:
    """Whether the client is a browser: its Accept header prefers HTML to JSON."""
    environ = request.environ
    if _BROWSER not in environ:
        environ[_BROWSER] = "html" in environ.get("HTTP_ACCEPT", "") and _prefers_html()
    answer: bool = environ[_BROWSER]
    return answer


def is_public(path: str) -> bool:
    """Whether the response at this path is the same for every client."""
    return path.startswith("/static/") or path.rstrip("/") in _PUBLIC


def has_session() -> bool:
    """Whether the request may read and set the browser's cookie."""
    return is_browser() and not is_public(request.path)


def origin() -> Origin:
    """The origin of the request; forwarded addresses count from trusted proxies only."""
    address, program = request.remote_addr or "", request.user_agent.string
    if is_browser():
        return Origin(address, program, known_browser.id_for, is_page=True, language=_language)
    return Origin(address, program, language=_language)


def flow_key(account: str) -> FlowKey:
    """The flow under which this request hashes a password."""
    return FlowKey(origin().address, account)


def render_page(template: str, status: int = 200, /, **context: Any) -> Response:
    """Render a template as the response."""
    return make_response(render_template(template, **context), status)


def json_response(body: Any, status: int = 200) -> Response:
    """Return a value as the JSON response."""
    text = current_app.json.dumps(body, separators=(",", ":"))
    return WholeResponse(f"{text}\n", status, content_type="application/json")


def local_path(text: str | None, default: str = "/") -> str:
    """Return a redirect target if it is certainly a path of this site, else the default.

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
    """The id of this request, as in the log."""
    return request.environ.get(REQUEST_ID) if has_request_context() else None


def _language() -> str:
    """The language of the response, which mails that this request causes are in as well."""
    return str(get_locale())


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
