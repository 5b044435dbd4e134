"""The form of a book: add it, change it, take it out of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import validate_csrf
from werkzeug.wrappers import Response as AnyResponse
from wtforms import ValidationError

from perpustakaan import books
from perpustakaan.database import csrf
from perpustakaan.models import Book
from perpustakaan.pages.blueprint import blueprint
from perpustakaan.pages.people import librarian_required
from perpustakaan.problems import Conflict, Invalid

# These check the token themselves: where it is out of date, what was typed is shown again.
csrf.exempt(f"{__name__}.add_book")
csrf.exempt(f"{__name__}.change_book")

FIELDS = ("title", "author", "isbn", "year", "copies", "shelf")


@blueprint.get("/desk/books/new")
@librarian_required
def new_book() -> str:
    """Show an empty form."""
    return _render({"copies": "1"})


@blueprint.get("/desk/books/<id:book_id>")
@librarian_required
def edit_book(book_id: int) -> str:
    """Show the form of a book."""
    book = books.get(book_id)
    return _render(_values(book), book)


@blueprint.post("/desk/books/new")
@librarian_required
def add_book() -> Any:
    """Add a book."""
    if _is_stale():
        return _render(request.form, is_stale=True), 400
    try:
        book = books.add(request.form)
    except (Invalid, Conflict) as wrong:
        return _render(request.form, errors=wrong.errors), wrong.status
    flash(_("“%(title)s” is in the catalogue.", title=book.title))
    return redirect(url_for("pages.show_book", book_id=book.id), 303)


@blueprint.post("/desk/books/<id:book_id>")
@librarian_required
def change_book(book_id: int) -> Any:
    """Change a book."""
    book = books.get(book_id)
    if _is_stale():
        return _render(request.form, book, is_stale=True), 400
    try:
        books.change(book_id, request.form)
    except (Invalid, Conflict) as wrong:
        return _render(request.form, books.get(book_id), errors=wrong.errors), wrong.status
    flash(_("Your changes are saved."))
    return redirect(url_for("pages.show_book", book_id=book_id), 303)


@blueprint.post("/desk/books/<id:book_id>/remove")
@librarian_required
def remove_book(book_id: int) -> AnyResponse:
    """Take a book out of the catalogue."""
    title = books.get(book_id).title
    try:
        books.remove(book_id)
    except Conflict:
        flash(_("Copies of this book are lent. Take them back first."), "error")
        return redirect(url_for("pages.show_book", book_id=book_id), 303)
    flash(_("“%(title)s” is no longer in the catalogue.", title=title))
    return redirect(url_for("pages.list_books"), 303)


def _values(book: Book) -> dict[str, object]:
    return {name: getattr(book, name if name != "isbn" else "isbn13") for name in FIELDS}


def _is_stale() -> bool:
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        return True
    return False


def _render(
    values: Mapping[str, object],
    book: Book | None = None,
    *,
    errors: Mapping[str, list[Any]] | None = None,
    is_stale: bool = False,
) -> str:
    return render_template(
        "book_form.html", values=values, book=book, errors=errors or {}, is_stale=is_stale
    )
