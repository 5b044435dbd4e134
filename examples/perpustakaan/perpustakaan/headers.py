"""Headers of every answer: what a browser may do with it (OWASP ASVS 5, V3.4)."""

from __future__ import annotations

from flask import Flask, Response


def init_app(app: Flask) -> None:
    """Add the headers."""
    # A form may lead to the log-in at loguserapp, and Chromium checks redirects too.
    policy = "; ".join(
        [
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self'",
            f"form-action 'self' {app.config['LOGUSERAPP_URL']}",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )

    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers.setdefault("Content-Security-Policy", policy)
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Referrer-Policy", "same-origin")
        answer.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        answer.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return answer
