"""The catalogue: anyone reads it, librarians change it."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request, url_for

from perpustakaan import books, catalogue
from perpustakaan.api.access import librarian_required
from perpustakaan.api.blueprint import blueprint
from perpustakaan.api.body import read_body
from perpustakaan.api.shapes import book_json


@blueprint.get("/api/books")
def search_books() -> dict[str, Any]:
    """Search, sort and page."""
    wanted = {name: request.args[name] for name in ("q", "after", "limit") if name in request.args}
    page = catalogue.search(sort=request.args.get("sort") or "title", **wanted)
    return {"books": [book_json(book) for book in page.books], "next": page.next}


@blueprint.post("/api/books")
@librarian_required
def add_book() -> Response:
    """Add a book."""
    book = books.add(read_body())
    answer = jsonify(book_json(book))
    answer.status_code = 201
    answer.headers["Location"] = url_for("api.get_book", book_id=book.id)
    return answer


@blueprint.get("/api/books/<id:book_id>")
def get_book(book_id: int) -> dict[str, Any]:
    """A book."""
    return book_json(books.get(book_id))


@blueprint.put("/api/books/<id:book_id>")
@librarian_required
def change_book(book_id: int) -> dict[str, Any]:
    """Replace what is known of a book."""
    return book_json(books.change(book_id, read_body()))


@blueprint.delete("/api/books/<id:book_id>")
@librarian_required
def remove_book(book_id: int) -> tuple[str, int]:
    """Take a book out of the catalogue."""
    books.remove(book_id)
    return "", 204
