"""The headers of every answer: what a browser may do with it, and who may keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.service import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from app.service import Headers

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Server": "loguserapp",  # else the server names itself
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# What the scripts of a front end on another host may send; cookies never (Fetch §3.3).
_PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
    ("Access-Control-Max-Age", "600"),
]
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def init_app(app: Service) -> None:
    """Put the headers on whatever the application answers (ASVS 5.0, 3.4)."""
    always = list((_ALWAYS | (_HSTS if app.extensions["settings"].https else {})).items())

    def add(environ: WSGIEnvironment, status: str, headers: Headers) -> None:
        headers += always
        if not environ["PATH_INFO"].startswith("/static/") or status >= "400":
            if all(name != "Cache-Control" for name, _ in headers):
                headers.append(("Cache-Control", "no-store"))
            # In place of Flask's own, which a page that asks for the cookie has already.
            headers[:] = [entry for entry in headers if entry[0] != "Vary"]
            headers.append(("Vary", "Accept, Cookie"))

    app.finishers.append(add)
    if app.extensions["settings"].client_redirect_urls:
        _let_front_ends_read(app)


def _let_front_ends_read(app: Service) -> None:
    """Let the hosts of CLIENT_REDIRECT_URLS, and no others, read what the token API answers."""
    urls = map(urlsplit, app.extensions["settings"].client_redirect_urls)
    hosts = {f"{url.scheme}://{url.netloc}" for url in urls}

    def add(environ: WSGIEnvironment, _status: str, headers: Headers) -> None:
        if environ["PATH_INFO"].startswith("/api/auth/"):
            headers.append(("Vary", "Origin"))
            if environ.get("HTTP_ORIGIN") in hosts:
                headers.append(("Access-Control-Allow-Origin", environ["HTTP_ORIGIN"]))
                headers += _PREFLIGHT if environ["REQUEST_METHOD"] == "OPTIONS" else []

    app.finishers.append(add)
