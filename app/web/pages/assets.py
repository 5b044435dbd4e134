"""Fingerprinted addresses of static files: the response to one never changes.

Browsers keep such a response for good, and ask again for every other one.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from app.web.http.flask_app import Application

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from app.web.http.flask_app import Headers

# As nginx answers for the same files.
IMMUTABLE = "public, max-age=31536000, immutable"
SHORT = "public, max-age=300"
_PREFIX = "/static/"


def init_app(app: Application) -> None:
    """Let url_for("static", …) add the fingerprint as `v`, and browsers keep what has it."""
    folder = Path(str(app.static_folder))

    def add_fingerprint(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values:
            values.setdefault("v", _fingerprint_of(folder / values["filename"]))

    def keep(environ: WSGIEnvironment, status: str, headers: Headers) -> None:
        path = environ["PATH_INFO"]
        if path.startswith(_PREFIX) and status < "400":
            asked = version(environ.get("QUERY_STRING", ""))
            if asked and asked == _fingerprint_of(folder / path.removeprefix(_PREFIX)):
                headers[:] = [entry for entry in headers if entry[0] != "Cache-Control"]
                headers.append(("Cache-Control", IMMUTABLE))

    app.url_defaults(add_fingerprint)
    app.response_hooks.append(keep)


def fingerprint(content: bytes) -> str:
    """The fingerprint of a file's content."""
    return hashlib.sha256(content).hexdigest()[:12]


def version(query: str) -> str:
    """The `v` of a query; empty where there is none."""
    return parse_qs(query).get("v", [""])[0]


@lru_cache(maxsize=256)
def _fingerprint_of(path: Path) -> str | None:
    return fingerprint(path.read_bytes()) if path.is_file() else None
