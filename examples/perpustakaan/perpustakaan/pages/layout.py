"""What every page has: the head with the reader, the languages, addresses of files."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Flask, g, request, url_for
from flask.wrappers import Response

from perpustakaan import lending
from perpustakaan.days import today
from perpustakaan.language import select_language
from perpustakaan.login import this_path
from perpustakaan.models import Book
from perpustakaan.pages.people import came_from, person

ONE_YEAR = 365 * 24 * 3600
_STATIC = Path(__file__).parent.parent / "static"
_OWN_NAMES = {"en": "English", "id": "Bahasa Indonesia"}


def init_app(app: Flask) -> None:
    """Give the templates what they share."""
    app.context_processor(_shared)
    for each in (asset, cover_url, this_path):
        app.add_template_global(each)
    app.after_request(_keep_private)


def cover_url(book: Book) -> str:
    """The address of a cover, which changes with the words on it."""
    return url_for("pages.show_cover", book_id=book.id, v=cover_version(book))


def cover_version(book: Book) -> str:
    """A short hash of the words on a cover."""
    return hashlib.sha256(f"{book.title}\n{book.author}".encode()).hexdigest()[:12]


def _shared() -> dict[str, Any]:
    found = person()
    return {
        "person": found,
        "is_unknown": g.get("is_unknown", False),
        "language": select_language(),
        "languages": _OWN_NAMES,
        "language_url": _language_url,
        "today": today(),
        "due_if_borrowed": today() + timedelta(days=lending.LOAN_DAYS),
        "loan_days": lending.LOAN_DAYS,
        "fine_per_day": lending.FINE_PER_DAY,
    }


def _language_url(code: str) -> str:
    """The address of this page in another language."""
    if request.method == "GET":
        return "?" + urlencode(request.args.to_dict() | {"lang": code})
    # The answer to a form has an address of its own, which cannot be opened.
    path, _, query = came_from().partition("?")
    return f"{request.script_root}{path}?{urlencode(dict(parse_qsl(query)) | {'lang': code})}"


def asset(name: str) -> str:
    """The address of a file, which changes with the file."""
    return url_for("static", filename=name, v=_version(name))


@cache
def _version(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]


def _keep_private(response: Response) -> Response:
    """Keep pages out of caches, since they name the reader."""
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
    return response
