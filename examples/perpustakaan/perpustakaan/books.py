"""Books: add, change and remove them, and keep the words to find them by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from perpustakaan.book_fields import BookFields, parse
from perpustakaan.database import db, transaction, utc_now
from perpustakaan.lending import lock_book, serve_line
from perpustakaan.models import Book, BookWord, Loan, Wait
from perpustakaan.problems import Conflict, Invalid, NotFound
from perpustakaan.words import sort_key, words_of

UNKNOWN_YEAR = 9999  # sorts after every other


def get(book_id: int) -> Book:
    """A book of the catalogue.

    Raises:
        NotFound: no such book.

    """
    book = db.session.get(Book, book_id)
    if book is None or book.removed_at is not None:
        raise NotFound
    return book


def add(sent: Mapping[str, object]) -> Book:
    """Add a book.

    Args:
        sent: see `book_fields.parse`.

    Raises:
        Invalid: fields are wrong.
        Conflict: `isbn_taken`.

    """
    fields = parse(sent)
    with _unique_isbn(), transaction():
        book = Book(**_columns(fields))
        db.session.add(book)
        db.session.flush()
        _keep_words(book)
    return book


def add_unless_known(sent: Mapping[str, object]) -> bool:
    """Add a book, unless there is one with its ISBN, or with its title and author if it has none.

    Raises:
        Invalid: fields are wrong.

    """
    fields = parse(sent)
    if fields.isbn13:
        known = select(Book.id).where(Book.isbn13 == fields.isbn13)
    else:
        keys = (sort_key(fields.title), sort_key(fields.author))
        known = select(Book.id).where(Book.title_key == keys[0], Book.author_key == keys[1])
    if db.session.scalar(known.where(Book.removed_at.is_(None)).limit(1)):
        return False
    add(sent)
    return True


def change(book_id: int, sent: Mapping[str, object]) -> Book:
    """Replace what is known of a book; new copies go to the readers who wait.

    Raises:
        NotFound: no such book.
        Invalid: fields are wrong, or fewer copies than are lent.
        Conflict: `isbn_taken`.

    """
    fields = parse(sent)
    with _unique_isbn(), transaction():
        book = lock_book(book_id)
        if fields.copies < book.lent:
            sentence = _l("At least %(count)s: that many are lent.", count=book.lent)
            raise Invalid({"copies": [sentence]})
        for name, value in _columns(fields).items():
            setattr(book, name, value)
        db.session.flush()
        db.session.execute(delete(BookWord).where(BookWord.book_id == book_id))
        _keep_words(book)
        serve_line(book, utc_now())
    return book


def remove(book_id: int) -> None:
    """Take a book out of the catalogue; the readers who wait for it wait no longer.

    A book that was ever lent keeps its row, so that loans and fines keep their title.

    Raises:
        NotFound: no such book.
        Conflict: `copies_lent`.

    """
    with transaction():
        book = lock_book(book_id)
        if book.lent:
            raise Conflict("copies_lent", _l("Copies of the book are lent."))
        db.session.execute(delete(Wait).where(Wait.book_id == book_id))
        db.session.execute(delete(BookWord).where(BookWord.book_id == book_id))
        if db.session.scalar(select(Loan.id).where(Loan.book_id == book_id).limit(1)):
            book.removed_at, book.isbn13 = utc_now(), None
        else:
            db.session.delete(book)


def _columns(fields: BookFields) -> dict[str, Any]:
    return vars(fields) | {
        "title_key": sort_key(fields.title),
        "author_key": sort_key(fields.author),
        "year_key": UNKNOWN_YEAR if fields.year is None else fields.year,
    }


def _keep_words(book: Book) -> None:
    words = words_of(book.title, book.author, book.isbn13 or "")
    db.session.add_all(BookWord(word=word, book_id=book.id) for word in words)


@contextmanager
def _unique_isbn() -> Iterator[None]:
    """Name the field where the unique constraint of the ISBN refuses a row."""
    try:
        yield
    except IntegrityError as error:
        if "isbn13" not in str(error.orig):
            raise
        sentence = _l("Another book has this ISBN.")
        raise Conflict("isbn_taken", sentence, {"isbn": [sentence]}) from None
