"""The librarian's desk: lend, take back, see what is overdue."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as AnyResponse

from perpustakaan import books, catalogue, isbn, lending, lists, readers
from perpustakaan.days import today
from perpustakaan.models import Book, Loan, Reader
from perpustakaan.pages.blueprint import blueprint
from perpustakaan.pages.book import render_book
from perpustakaan.pages.formats import full_date, rupiah
from perpustakaan.pages.people import came_from, librarian_required
from perpustakaan.problems import Conflict, Invalid
from perpustakaan.words import sort_key

_MOST = 100
_MOST_MATCHES = 6
_UNKNOWN = _l("No reader has this username. The person has to log in here once.")
_WHY_NOT = {
    "already_lent": _l("This reader has the book already."),
    "already_waiting": _l("This reader is on the waiting list for the book already."),
}


@blueprint.get("/desk")
@librarian_required
def show_desk() -> str:
    """Show the desk; with `username` the loans of a reader."""
    username = request.args.get("username", "").strip()
    if not username:
        return _render_desk()
    found = readers.find(username)
    if found is None:
        return _render_desk(who=username, who_error=_UNKNOWN)
    loans = lists.list_loans(found.id, is_open=True, limit=_MOST)
    return _render_desk(who=username, found=found, theirs=_with_fines(loans))


@blueprint.post("/desk/lend")
@librarian_required
def lend_at_desk() -> Any:
    """Lend the book of an ISBN or a whole title to a reader; of other words show the choice."""
    username, words = request.form.get("username", ""), request.form.get("book", "")
    found, errors = _find_reader(username), {}
    if isinstance(found, str):
        errors["username"] = found
    matches, error = _find_books(words, request.form.get("book_id", ""))
    choices = matches if error else []
    if error:
        errors["book"] = error
    if isinstance(found, Reader) and not errors:
        error = _lend(matches[0], found)
        if not error:
            return redirect(url_for("pages.show_desk"), 303)
        errors["book"] = error
    page = _render_desk(username=username, words=words, choices=choices, errors=errors)
    return page, 400


@blueprint.post("/books/<id:book_id>/lend")
@librarian_required
def lend_book(book_id: int) -> Any:
    """Lend this book to a reader."""
    book, username = books.get(book_id), request.form.get("username", "")
    found = _find_reader(username)
    error = found if isinstance(found, str) else _lend(book, found)
    if error:
        return render_book(books.get(book_id), lend_error=error, username=username), 400
    return redirect(url_for("pages.show_book", book_id=book_id), 303)


@blueprint.post("/loans/<id:loan_id>/return")
@librarian_required
def take_back(loan_id: int) -> AnyResponse:
    """Take a book back; the reader who is next on the waiting list has it then."""
    try:
        returned = lending.give_back(loan_id)
    except Conflict:
        flash(_("This book has been taken back already."), "error")
        return _back()
    loan = returned.loan
    said = [_("“%(title)s” is back.", title=loan.book.title)]
    if loan.fine:
        said.append(_("Fine: %(amount)s.", amount=rupiah(loan.fine)))
    if returned.next_loan:
        name = returned.next_loan.reader.username or "?"
        said.append(_("Keep it at the desk: it is now lent to %(name)s.", name=name))
    flash(" ".join(said))
    return _back()


def _find_books(words: str, number: str) -> tuple[list[Book], str]:
    """The books that may be meant, and what to do unless it is certainly one."""
    if number:  # chosen from the list
        return [books.get(catalogue.parse_number(number, catalogue.MAX_ID) or 0)], ""
    if not words.strip():
        return [], _("Enter an ISBN, or words of the title.")
    try:
        matches = catalogue.search(words, limit=str(_MOST_MATCHES)).books
    except Invalid as wrong:
        return [], str(wrong.errors["q"][0])
    if not matches:
        return [], _("No book has these words or this ISBN.")
    exact = [book for book in matches if isbn.normalize(words) or _is_title(words, book)]
    if len(exact) == 1:
        return exact, ""
    if len(matches) == 1:
        return matches, _("One book has these words. Press it to lend it.")
    return matches, _("Several books match. Choose one, or be more exact.")


def _is_title(words: str, book: Book) -> bool:
    return sort_key(words) == book.title_key


def _find_reader(username: str) -> Reader | str:
    """The reader, or what is wrong with the username."""
    if not username.strip():
        return str(_("Enter the reader\u2019s username."))
    found = readers.find(username)
    return found or str(_UNKNOWN)


def _lend(book: Book, to: Reader) -> str:
    """Lend a book; what speaks against it, or "" once it is done."""
    title, name = book.title, to.username
    if not book.copies:
        return str(_("The library has no copy of this book."))
    try:
        outcome = lending.borrow(book.id, to.id)
    except Conflict as conflict:
        return str(_WHY_NOT[conflict.code])
    if isinstance(outcome, lending.Place):
        flash(
            _(
                "All copies of “%(title)s” are lent. "
                "%(name)s is number %(position)s on the waiting list.",
                title=title, name=name, position=outcome.position,
            )
        )  # fmt: skip
    else:
        until = full_date(outcome.due_on)
        flash(
            _("“%(title)s” is lent to %(name)s until %(day)s.", title=title, name=name, day=until)
        )
    return ""


def _with_fines(loans: list[Loan]) -> list[tuple[Loan, int]]:
    loans.sort(key=lambda loan: (loan.due_on, loan.id))
    return [(loan, lending.fine_of(loan, today())) for loan in loans]


def _render_desk(**values: Any) -> str:
    overdue = lists.list_loans(overdue=True, limit=_MOST)
    return render_template("desk.html", overdue=_with_fines(overdue), **values)


def _back() -> AnyResponse:
    return redirect(request.script_root + came_from("/desk"), 303)
