"""Lists of loans and waits, for a reader and for the librarian."""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, select, true
from sqlalchemy.orm import aliased

from perpustakaan.database import db
from perpustakaan.days import today as library_today
from perpustakaan.lending import Place
from perpustakaan.models import Loan, Reader, Wait
from perpustakaan.problems import NotFound


def find_loan(loan_id: int, viewer: Reader) -> Loan:
    """A loan of the viewer, or any for a librarian.

    Raises:
        NotFound: no such loan, or it is of another reader.

    """
    loan = db.session.get(Loan, loan_id)
    if loan is None or not (viewer.is_librarian or loan.reader_id == viewer.id):
        raise NotFound
    return loan


def list_loans(
    reader_id: int | None = None,
    *,
    overdue: bool = False,
    is_open: bool | None = None,
    today: date | None = None,
    after: int | None = None,
    limit: int = 20,
) -> list[Loan]:
    """Loans, newest first.

    Args:
        reader_id: those of this reader alone.
        overdue: those alone that are open after their due date.
        is_open: those alone that are open (True) or returned (False).
        today: the date that counts, the library's unless given.
        after: the id of the last loan of the page before.
        limit: how many at most.

    """
    wanted = select(Loan).order_by(Loan.id.desc()).limit(limit)
    if reader_id is not None:
        wanted = wanted.where(Loan.reader_id == reader_id)
    if overdue:
        day = today or library_today()
        wanted = wanted.where(Loan.is_open == true(), Loan.due_on < day)
    if is_open is not None:
        wanted = wanted.where(Loan.is_open == true() if is_open else Loan.is_open.is_(None))
    if after is not None:
        wanted = wanted.where(Loan.id < after)
    return list(db.session.scalars(wanted))


def is_awaited(book_id: int) -> bool:
    """Whether anybody waits for a book."""
    return db.session.scalar(select(Wait.id).where(Wait.book_id == book_id).limit(1)) is not None


def list_line(book_id: int) -> list[Place]:
    """The places on the waiting list of a book, longest waiting first."""
    waits = db.session.scalars(select(Wait).where(Wait.book_id == book_id).order_by(Wait.id))
    return [Place(wait, position) for position, wait in enumerate(waits, 1)]


def list_places(reader_id: int) -> list[Place]:
    """The places of a reader on waiting lists, longest waiting first."""
    before = aliased(Wait)
    position = (
        select(func.count())
        .where(before.book_id == Wait.book_id, before.id <= Wait.id)
        .scalar_subquery()
    )
    wanted = select(Wait, position).where(Wait.reader_id == reader_id).order_by(Wait.id)
    return [Place(wait, count) for wait, count in db.session.execute(wanted)]
