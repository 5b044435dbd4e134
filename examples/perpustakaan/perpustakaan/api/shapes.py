"""The JSON of each thing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from perpustakaan.days import today
from perpustakaan.lending import Place, fine_of, is_overdue
from perpustakaan.models import Book, Loan, Reader


def book_json(book: Book) -> dict[str, Any]:
    """A book."""
    return {
        "id": book.id,
        "title": book.title,
        "author": book.author,
        "isbn": book.isbn13,
        "year": book.year,
        "copies": book.copies,
        "on_shelf": book.on_shelf,
        "lent": book.lent,
        "shelf": book.shelf,
        "added_at": _time(book.added_at),
    }


def loan_json(loan: Loan) -> dict[str, Any]:
    """A loan; `fine` is what it would be today while the loan is open."""
    now = today()
    return {
        "id": loan.id,
        "book": {"id": loan.book.id, "title": loan.book.title, "author": loan.book.author},
        "username": loan.reader.username,
        "borrowed_at": _time(loan.borrowed_at),
        "due_on": loan.due_on.isoformat(),
        "returned_at": _time(loan.returned_at) if loan.returned_at else None,
        "renewals": loan.renewals,
        "is_overdue": is_overdue(loan, now),
        "fine": fine_of(loan, now),
    }


def place_json(place: Place) -> dict[str, Any]:
    """A place on the waiting list of a book."""
    wait = place.wait
    return {
        "book": {"id": wait.book.id, "title": wait.book.title, "author": wait.book.author},
        "username": wait.reader.username,
        "since": _time(wait.since),
        "position": place.position,
    }


def reader_json(reader: Reader) -> dict[str, Any]:
    """A reader, without loans."""
    return {"username": reader.username, "is_librarian": reader.is_librarian}


def _time(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"
