"""The headers of every answer: what a browser may do with it, and who may keep it."""

from __future__ import annotations

from flask import Flask, Response, request

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def init_app(app: Flask) -> None:
    """Put the headers on whatever the application answers (ASVS 5.0, 3.4)."""
    always = list((_ALWAYS | (_HSTS if app.extensions["settings"].https else {})).items())

    def add(response: Response) -> Response:
        headers = response.headers
        headers.extend(always)
        if request.endpoint != "static":
            if "Cache-Control" not in headers:
                headers["Cache-Control"] = "no-store"
            headers["Vary"] = "Accept, Cookie"
        return response

    app.after_request(add)
