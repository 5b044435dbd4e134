"""Who opens a page, and which pages need whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import current_app, g, redirect, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from perpustakaan import loguserapp, readers, tokens
from perpustakaan.login import own_path, this_path
from perpustakaan.models import Reader
from perpustakaan.problems import Forbidden, Unavailable

View = Callable[..., Any]


@dataclass(frozen=True)
class Person:
    """What the head of a page says of a reader."""

    username: str
    is_librarian: bool


def reader() -> Reader | None:
    """The reader who opens this page, or None.

    Raises:
        Unavailable: loguserapp does not answer, and only it could tell.

    """
    if "reader" not in g:
        g.reader = _recognize()
        # Apart from the row, which may not be read again once the database is away.
        g.person = Person(g.reader.username or "", g.reader.is_librarian) if g.reader else None
    found: Reader | None = g.reader
    return found


def person() -> Person | None:
    """The reader for the head of a page, which shows whatever is away.

    `g.is_unknown` is set where it could not be found out whether somebody is logged in.
    """
    if "person" not in g:
        g.person = None
        try:
            reader()
        except (Unavailable, SQLAlchemyError):
            g.is_unknown = True
    found: Person | None = g.person
    return found


def login_required(view: View) -> View:
    """Let a reader in, as the first argument; lead others to the login and then back."""

    @wraps(view)
    def guarded(**values: Any) -> Any:
        found = reader()
        if found is None:
            then = this_path() if request.method == "GET" else came_from()
            return redirect(url_for("login.begin", next=then), 303)
        return view(found, **values)

    return guarded


def librarian_required(view: View) -> View:
    """Let a librarian in; refuse other readers, and lead others to the login."""

    @login_required
    @wraps(view)
    def guarded(found: Reader, **values: Any) -> Any:
        if not found.is_librarian:
            raise Forbidden
        return view(**values)

    return guarded


def came_from(default: str = "/") -> str:
    """The path of the page of this service on which a form was sent."""
    referrer, here = request.referrer or "", current_app.config["APP_URL"] + "/"
    return own_path(referrer[len(here) - 1 :]) if referrer.startswith(here) else default


def _recognize() -> Reader | None:
    found = tokens.visitor()
    if found is None:
        return None
    try:
        return readers.recognize(found.sub, found.token)
    except loguserapp.Refused:  # ended a moment ago
        return None
