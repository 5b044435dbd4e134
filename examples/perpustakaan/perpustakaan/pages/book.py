"""A book: its cover, borrowing it, waiting for it."""

from __future__ import annotations

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.wrappers import Response
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from perpustakaan import books, lending, lists
from perpustakaan.covers import cover
from perpustakaan.database import db
from perpustakaan.models import Book, Loan, Reader
from perpustakaan.pages.blueprint import blueprint
from perpustakaan.pages.formats import full_date
from perpustakaan.pages.layout import ONE_YEAR, cover_version
from perpustakaan.pages.people import login_required, person, reader
from perpustakaan.problems import Conflict, NotFound


@blueprint.get("/books/<id:book_id>")
def show_book(book_id: int) -> str:
    """Show a book, and what this reader can do with it."""
    book = books.get(book_id)
    return render_book(book)


def render_book(book: Book, lend_error: object = "", username: str = "") -> str:
    """The page of a book; to a librarian with its loans and a form to lend it."""
    found = reader() if person() else None
    line = lists.list_line(book.id)
    loans = _open_loans(book)
    return render_template(
        "book.html",
        book=book,
        line=line,
        loans=loans if found and found.is_librarian else [],
        my_loan=next((loan for loan in loans if found and loan.reader_id == found.id), None),
        my_place=next((at for at in line if found and at.wait.reader_id == found.id), None),
        lend_error=lend_error,
        username=username,
    )


@blueprint.get("/books/<id:book_id>/cover.svg")
def show_cover(book_id: int) -> Response:
    """Draw the cover, of a book that has left the catalogue too."""
    book = db.session.get(Book, book_id)
    if book is None:
        raise NotFound
    response = make_response(cover(book.title, book.author))
    response.mimetype = "image/svg+xml"
    version = cover_version(book)
    is_current = request.args.get("v") == version
    response.cache_control.public = True
    response.cache_control.max_age = ONE_YEAR if is_current else 300
    response.cache_control.immutable = is_current
    response.set_etag(version)
    response.make_conditional(request)
    return response


@blueprint.post("/books/<id:book_id>/borrow")
@login_required
def borrow(me: Reader, book_id: int) -> AnyResponse:
    """Borrow a book, or join the waiting list for it."""
    try:
        outcome = lending.borrow(book_id, me.id)
    except Conflict as conflict:
        flash(_(_OF_ME[conflict.code]), "error")
        return _back_to(book_id)
    if isinstance(outcome, lending.Place):
        flash(
            _(
                "You are number %(position)s on the waiting list. "
                "When it is your turn, the book is lent to you.",
                position=outcome.position,
            )
        )
    else:
        flash(_("The book is yours until %(day)s.", day=full_date(outcome.due_on)))
    return _back_to(book_id)


@blueprint.post("/books/<id:book_id>/leave")
@login_required
def leave(me: Reader, book_id: int) -> AnyResponse:
    """Leave the waiting list for a book."""
    books.get(book_id)
    try:
        lending.leave_line(book_id, me.id)
        flash(_("You no longer wait for this book."))
    except NotFound:
        flash(_("You are not on the waiting list for this book."), "error")
    return _back_to(book_id)


def _mark(text: str) -> str:
    """Mark a text for translation, which `_` does when it is shown."""
    return text


_OF_ME = {
    "already_lent": _mark("You have this book already."),
    "already_waiting": _mark("You are on the waiting list for this book already."),
}


def _back_to(book_id: int) -> AnyResponse:
    return redirect(url_for("pages.show_book", book_id=book_id), 303)


def _open_loans(book: Book) -> list[Loan]:
    wanted = select(Loan).where(Loan.book_id == book.id, Loan.is_open.is_(True))
    return list(db.session.scalars(wanted.order_by(Loan.due_on, Loan.id)))
