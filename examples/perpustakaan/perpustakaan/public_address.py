"""The public address of the service, whatever a proxy passes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit


class PublicAddress:
    """WSGI middleware: scheme, host and path prefix are those of the setting APP_URL.

    The Host header is never believed. A path without the prefix is served too, so that a health
    check inside the container needs no setting.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], url: str) -> None:
        self._app = app
        parts = urlsplit(url)
        self._scheme, self._host, self._prefix = parts.scheme, parts.netloc, parts.path

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""
        path = environ.get("PATH_INFO", "")
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            path = path[len(self._prefix) :]
        environ["PATH_INFO"] = path or "/"
        environ["SCRIPT_NAME"] = self._prefix
        environ["wsgi.url_scheme"] = self._scheme
        environ["HTTP_HOST"] = self._host
        return self._app(environ, start_response)
