"""Response headers: security policies and caching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.config import settings
from app.web.http.flask_app import Application
from app.web.negotiation import is_public

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from app.web.http.flask_app import Headers

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Scripts must not write markup or load other scripts (W3C Trusted Types). Swagger UI does both.
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
# Addresses that a mail's link gives a token.
_MAILED_LINKS = {"/reset", "/verify", "/undo"}
# What programs of other hosts read: the public keys, and the description of the API.
_CROSS_ORIGIN = {"/.well-known/jwks.json", "/openapi.json", "/api/auth/revoked"}
# What the scripts of a front end on another host may send; cookies never (Fetch §3.3).
_PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
    ("Access-Control-Max-Age", "600"),
]
_FOR_OTHER_HOSTS = ("Cross-Origin-Resource-Policy", "cross-origin")
_FOR_OWN_PAGES = ("Cross-Origin-Resource-Policy", "same-origin")
# What decides whether a person or a program is answered, and in which language.
_VARY = "Accept, Accept-Language, Cookie"
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def init_app(app: Application) -> None:
    """Add the security headers to every response (ASVS 5.0, 3.4)."""
    common = _ALWAYS | (_HSTS if settings.of(app).https else {})
    always = list(common.items())
    # A form's answer may lead on to a front end: browsers look at the whole chain of redirects.
    onward = " ".join(["form-action 'self'", *sorted(settings.of(app).redirect_origins)])
    policy = _POLICY.replace("form-action 'self'", onward)
    policy_of_docs = ("Content-Security-Policy", policy)
    policy_of_others = ("Content-Security-Policy", policy + _TRUSTED_TYPES)
    always_private = list((common | {"Referrer-Policy": "no-referrer"}).items())

    def add(environ: WSGIEnvironment, status: str, headers: Headers) -> None:
        path = environ["PATH_INFO"].rstrip("/")
        headers += always_private if path in _MAILED_LINKS else always
        headers.append(policy_of_docs if path == _SWAGGER_UI else policy_of_others)
        headers.append(_FOR_OTHER_HOSTS if path in _CROSS_ORIGIN else _FOR_OWN_PAGES)
        if not path.startswith("/static/") or status >= "400":
            if all(name != "Cache-Control" for name, _ in headers):
                headers.append(("Cache-Control", "no-store"))
            # In place of Flask's own, which a page that asks for the cookie has already.
            headers[:] = [entry for entry in headers if entry[0] != "Vary"]
            headers.append(("Vary", "Accept" if is_public(path) else _VARY))

    app.response_hooks.append(add)
    if settings.of(app).script_origins:
        _let_front_ends_read(app)


def _let_front_ends_read(app: Application) -> None:
    """CORS: scripts of ALLOWED_ORIGINS and CLIENT_REDIRECT_URLS alone may read the token API."""
    hosts = settings.of(app).script_origins

    def add(environ: WSGIEnvironment, _status: str, headers: Headers) -> None:
        if environ["PATH_INFO"].startswith("/api/auth/"):
            headers.append(("Vary", "Origin"))
            if environ.get("HTTP_ORIGIN") in hosts:
                headers.append(("Access-Control-Allow-Origin", environ["HTTP_ORIGIN"]))
                headers += _PREFLIGHT if environ["REQUEST_METHOD"] == "OPTIONS" else []

    app.response_hooks.append(add)
