"""The headers of every answer: what a browser may do with it, and who may keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.negotiation import is_public
from app.service import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from app.service import Headers

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# No script of a page may write markup or load another script (W3C Trusted Types). Swagger UI does.
_TRUSTED_TYPES = "; require-trusted-types-for 'script'; trusted-types 'none'"
_SWAGGER_UI = "/docs"
_ALWAYS = {
    "Server": "loguserapp",  # else the server names itself
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), "
    "payment=(), usb=()",
}
# What programs of other hosts read: the public keys, and the description of the API.
_CROSS_ORIGIN = {"/.well-known/jwks.json", "/openapi.json"}
# What the scripts of a front end on another host may send; cookies never (Fetch §3.3).
_PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
    ("Access-Control-Max-Age", "600"),
]
_POLICY_OF_DOCS = ("Content-Security-Policy", _POLICY)
_POLICY_OF_OTHERS = ("Content-Security-Policy", _POLICY + _TRUSTED_TYPES)
_FOR_OTHER_HOSTS = ("Cross-Origin-Resource-Policy", "cross-origin")
_FOR_OWN_PAGES = ("Cross-Origin-Resource-Policy", "same-origin")
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def init_app(app: Service) -> None:
    """Put the headers on whatever the application answers (ASVS 5.0, 3.4)."""
    always = list((_ALWAYS | (_HSTS if app.extensions["settings"].https else {})).items())

    def add(environ: WSGIEnvironment, status: str, headers: Headers) -> None:
        path = environ["PATH_INFO"].rstrip("/")
        headers += always
        headers.append(_POLICY_OF_DOCS if path == _SWAGGER_UI else _POLICY_OF_OTHERS)
        headers.append(_FOR_OTHER_HOSTS if path in _CROSS_ORIGIN else _FOR_OWN_PAGES)
        if not path.startswith("/static/") or status >= "400":
            if all(name != "Cache-Control" for name, _ in headers):
                headers.append(("Cache-Control", "no-store"))
            # In place of Flask's own, which a page that asks for the cookie has already.
            headers[:] = [entry for entry in headers if entry[0] != "Vary"]
            headers.append(("Vary", "Accept" if is_public(path) else "Accept, Cookie"))

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
