"""Addresses of static files, with a fingerprint of the content: an answer to one never changes.

nginx lets browsers keep such an answer for good.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask


def init_app(app: Flask) -> None:
    """Let url_for("static", …) add the fingerprint as `v`."""
    folder = Path(str(app.static_folder))

    def add(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values:
            values.setdefault("v", _fingerprint(folder / values["filename"]))

    app.url_defaults(add)


@cache
def _fingerprint(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else None
