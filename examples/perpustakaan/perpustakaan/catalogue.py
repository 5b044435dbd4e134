"""The catalogue: search by words, sort, page by key."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, and_, or_, select

from perpustakaan import isbn
from perpustakaan.database import db
from perpustakaan.models import Book, BookWord
from perpustakaan.problems import Invalid
from perpustakaan.words import words_of

SORTS: dict[str, Any] = {
    "title": Book.title_key,
    "author": Book.author_key,
    "year": Book.year_key,
    "newest": None,  # by number, backwards
}
MAX_QUERY = 200
MAX_WORDS = 20
MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MAX_ID = 999_999_999

_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True)
class Page:
    """A page of the catalogue; `after` of the next one, or None on the last."""

    books: list[Book]
    next: str | None


def search(q: str = "", sort: str = "title", after: str = "", limit: str = "") -> Page:
    """Find the books that have every word of the query in title, author or ISBN.

    A word of the query stands for all that begin with it; case and accents do not count. The first
    `MAX_WORDS` words count.

    Args:
        q: words, or an ISBN; blank for all books.
        sort: one of `SORTS`.
        after: `next` of the page before, with the same sort.
        limit: how many at most, 1 to `MAX_LIMIT`.

    Raises:
        Invalid: a parameter is wrong; the error names it.

    """
    count = _check(q, sort, limit)
    wanted = select(Book).where(Book.removed_at.is_(None))
    if q.strip():
        wanted = _with_words(wanted, q)
    wanted = _from(wanted, sort, after)
    books = list(db.session.scalars(wanted.limit(count + 1)))
    is_last = len(books) <= count
    return Page(books[:count], None if is_last else _key(sort, books[count - 1]))


def _check(q: str, sort: str, limit: str) -> int:
    errors: dict[str, list[Any]] = {}
    if len(q) > MAX_QUERY:
        errors["q"] = [_l("At most %(count)s characters.", count=MAX_QUERY)]
    if sort not in SORTS:
        errors["sort"] = [_l("One of: %(names)s.", names=", ".join(SORTS))]
    count = parse_number(limit, MAX_LIMIT) if limit else DEFAULT_LIMIT
    if count is None:
        errors["limit"] = [_l("From %(least)s to %(most)s.", least="1", most=str(MAX_LIMIT))]
    if errors or count is None:
        raise Invalid(errors)
    return count


def parse_number(text: str, most: int) -> int | None:
    """A number from 1 to `most` of a query, or None."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))):
        return None
    return int(text) if 1 <= int(text) <= most else None


def _with_words(wanted: Select[Book], q: str) -> Select[Book]:
    number = isbn.normalize(q)
    words = [number] if number else words_of(q)
    if not words:
        return wanted.where(Book.id.is_(None))
    for word in words[:MAX_WORDS]:
        # A range, which the primary key serves; LIKE would depend on the database.
        found = select(BookWord.book_id).where(
            BookWord.word >= word, BookWord.word < word + _LAST_CHARACTER
        )
        wanted = wanted.where(Book.id.in_(found))
    return wanted


def _from(wanted: Select[Book], sort: str, after: str) -> Select[Book]:
    column = SORTS[sort]
    last = _parse_key(sort, after) if after else None
    if column is None:
        if last:
            wanted = wanted.where(Book.id < last[1])
        return wanted.order_by(Book.id.desc())
    if last:
        key, number = last
        wanted = wanted.where(or_(column > key, and_(column == key, Book.id > number)))
    return wanted.order_by(column, Book.id)


def _key(sort: str, book: Book) -> str:
    column = SORTS[sort]
    key = None if column is None else getattr(book, column.key)
    text = json.dumps([sort, key, book.id], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parse_key(sort: str, after: str) -> tuple[Any, int]:
    wrong = Invalid({"after": [_l("Take `next` of the page before.")]})
    try:
        text = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True)
        named, key, number = json.loads(text.decode())
        str(key).encode()  # raises for a lone surrogate
    except (ValueError, TypeError, RecursionError):
        raise wrong from None
    kind = {"title": str, "author": str, "year": int, "newest": type(None)}[sort]
    if named != sort or type(key) is not kind or type(number) is not int:
        raise wrong
    if not 0 <= number <= MAX_ID or (isinstance(key, int) and abs(key) > MAX_ID):
        raise wrong
    return key, number
