"""Lending: every rule of it.

Each operation is one transaction that first locks the row of the book, so that all that happens to
a book happens one after another. While a reader waits for a book, no copy of it is on the shelf.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select, true

from perpustakaan.database import db, transaction, utc_now
from perpustakaan.days import day_of
from perpustakaan.models import Book, Loan, Wait
from perpustakaan.problems import Conflict, NotFound

LOAN_DAYS = 14
MAX_RENEWALS = 2
FINE_PER_DAY = 1000  # rupiah, for each day that has begun after the due date

_LATEST = {"populate_existing": True, "write_lock": True}


@dataclass(frozen=True)
class Place:
    """A place on the waiting list of a book; position 1 is next."""

    wait: Wait
    position: int


@dataclass(frozen=True)
class Returned:
    """A loan that has ended, and the loan of the reader who was next on the waiting list."""

    loan: Loan
    next_loan: Loan | None


def lock_book(book_id: int) -> Book:
    """Lock a book until the end of the transaction and return its latest state.

    Raises:
        NotFound: no such book is in the catalogue.

    """
    wanted = select(Book).where(Book.id == book_id, Book.removed_at.is_(None)).with_for_update()
    book = db.session.scalars(wanted, execution_options=_LATEST).one_or_none()
    if book is None:
        raise NotFound
    return book


def borrow(book_id: int, reader_id: int, now: datetime | None = None) -> Loan | Place:
    """Lend a copy to a reader; with no copy on the shelf, the reader waits, as the last.

    Raises:
        NotFound: no such book.
        Conflict: `already_lent` or `already_waiting`, to this reader.

    """
    with transaction():
        book = lock_book(book_id)
        if _open_loan(book_id, reader_id):
            raise Conflict("already_lent", _l("This reader has the book already."))
        if _wait(book_id, reader_id):
            raise Conflict("already_waiting", _l("This reader waits for the book already."))
        if book.on_shelf > 0:
            return _lend(book, reader_id, now or utc_now())
        wait = Wait(book_id=book_id, reader_id=reader_id, since=now or utc_now())
        db.session.add(wait)
        db.session.flush()
        return Place(wait, _position(wait))


def give_back(loan_id: int, now: datetime | None = None) -> Returned:
    """End a loan, fix its fine, and lend the copy to the reader who is next on the waiting list.

    Raises:
        NotFound: no such loan.
        Conflict: `already_returned`.

    """
    now = now or utc_now()
    with transaction():
        book, loan = _lock_loan(loan_id)
        loan.fine = fine_of(loan, day_of(now))
        loan.returned_at, loan.is_open = now, None
        book.lent -= 1
        handed = serve_line(book, now)
    return Returned(loan, handed[0] if handed else None)


def renew(loan_id: int, now: datetime | None = None) -> Loan:
    """Move the due date of a loan by another period.

    Raises:
        NotFound: no such loan.
        Conflict: `already_returned`, `overdue`, `renewals_used` or `somebody_waits`.

    """
    with transaction():
        book, loan = _lock_loan(loan_id)
        if is_overdue(loan, day_of(now or utc_now())):
            raise Conflict("overdue", _l("The loan is overdue: the book must come back."))
        if loan.renewals >= MAX_RENEWALS:
            raise Conflict("renewals_used", _l("The loan has been renewed twice already."))
        if db.session.scalar(select(Wait.id).where(Wait.book_id == book.id).limit(1)):
            raise Conflict("somebody_waits", _l("Another reader waits for the book."))
        loan.renewals += 1
        loan.due_on += timedelta(days=LOAN_DAYS)
    return loan


def leave_line(book_id: int, reader_id: int) -> None:
    """Take a reader off the waiting list of a book.

    Raises:
        NotFound: no such book, or the reader does not wait for it.

    """
    with transaction():
        lock_book(book_id)
        wait = _wait(book_id, reader_id)
        if wait is None:
            raise NotFound
        db.session.delete(wait)


def serve_line(book: Book, now: datetime) -> list[Loan]:
    """Lend copies on the shelf to the readers who wait, in order; the book is locked.

    Returns:
        The new loans.

    """
    line = select(Wait).where(Wait.book_id == book.id).order_by(Wait.id).limit(book.on_shelf)
    loans = []
    for wait in db.session.scalars(line, execution_options=_LATEST).all():
        loans.append(_lend(book, wait.reader_id, now))
        db.session.delete(wait)
    db.session.flush()
    return loans


def is_overdue(loan: Loan, today: date) -> bool:
    """Tell whether a loan is open after its due date."""
    return loan.is_open is not None and today > loan.due_on


def fine_of(loan: Loan, today: date) -> int:
    """The fine of a loan in rupiah: as fixed at return, or what it would be today."""
    if loan.is_open is None:
        return loan.fine
    return max(0, (today - loan.due_on).days) * FINE_PER_DAY


def _lend(book: Book, reader_id: int, now: datetime) -> Loan:
    loan = Loan(
        book=book,
        reader_id=reader_id,
        borrowed_at=now,
        due_on=day_of(now) + timedelta(days=LOAN_DAYS),
    )
    book.lent += 1
    db.session.add(loan)
    db.session.flush()
    db.session.refresh(loan, ["reader"])
    return loan


def _lock_loan(loan_id: int) -> tuple[Book, Loan]:
    """Lock the book of an open loan, and return both."""
    book_id = db.session.scalar(select(Loan.book_id).where(Loan.id == loan_id))
    if book_id is None:
        raise NotFound
    book = lock_book(book_id)
    wanted = select(Loan).where(Loan.id == loan_id)
    loan = db.session.scalars(wanted, execution_options=_LATEST).one()
    if loan.is_open is None:
        raise Conflict("already_returned", _l("The book has been returned already."))
    return book, loan


def _open_loan(book_id: int, reader_id: int) -> Loan | None:
    wanted = select(Loan).where(
        Loan.book_id == book_id, Loan.reader_id == reader_id, Loan.is_open == true()
    )
    return db.session.scalars(wanted).one_or_none()


def _wait(book_id: int, reader_id: int) -> Wait | None:
    wanted = select(Wait).where(Wait.book_id == book_id, Wait.reader_id == reader_id)
    return db.session.scalars(wanted).one_or_none()


def _position(wait: Wait) -> int:
    before = select(func.count()).where(Wait.book_id == wait.book_id, Wait.id <= wait.id)
    return db.session.scalar(before) or 0
