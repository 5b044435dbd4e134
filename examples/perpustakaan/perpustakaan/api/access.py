"""Who may call: readers and librarians, by the access token of the Authorization header.

Cookies do not count here, so that no other site can make a browser call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g

from perpustakaan import loguserapp, readers
from perpustakaan.models import Reader
from perpustakaan.problems import Forbidden

P = ParamSpec("P")
T = TypeVar("T")


def reader_required(view: Callable[P, T]) -> Callable[P, T]:
    """Let readers in; `current_reader()` is who calls.

    Raises:
        Refused: the token is missing, invalid, expired or revoked (401), or loguserapp has never
            answered (503).

    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        token = loguserapp.bearer_token()
        g.reader = readers.recognize(loguserapp.verify(token)["sub"], token)
        return view(*args, **kwargs)

    return guarded


def librarian_required(view: Callable[P, T]) -> Callable[P, T]:
    """Let librarians in.

    Raises:
        Refused: as `reader_required`.
        Forbidden: the reader is no librarian.

    """

    @reader_required
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        require_librarian()
        return view(*args, **kwargs)

    return guarded


def require_librarian() -> None:
    """Refuse a reader who is no librarian.

    Raises:
        Forbidden: the reader is no librarian.

    """
    if not current_reader().is_librarian:
        raise Forbidden


def current_reader() -> Reader:
    """The reader who calls; only where one is required."""
    reader: Reader = g.reader
    return reader
