"""Loans and waits: readers have their own, librarians see all."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request, url_for
from flask_babel import lazy_gettext as _l

from perpustakaan import catalogue, lending, lists, readers
from perpustakaan.api.access import current_reader, reader_required, require_librarian
from perpustakaan.api.blueprint import blueprint
from perpustakaan.api.body import read_body, read_limit, read_number, read_switch
from perpustakaan.api.shapes import loan_json, place_json, reader_json
from perpustakaan.models import Reader
from perpustakaan.problems import Invalid


@blueprint.get("/api/me")
@reader_required
def me() -> dict[str, Any]:
    """The reader who calls, with open loans and places on waiting lists."""
    reader = current_reader()
    loans = lists.list_loans(reader.id, is_open=True, limit=catalogue.MAX_LIMIT)
    places = lists.list_places(reader.id)
    return reader_json(reader) | {
        "loans": [loan_json(loan) for loan in loans],
        "waits": [place_json(place) for place in places],
    }


@blueprint.post("/api/books/<id:book_id>/loans")
@reader_required
def borrow(book_id: int) -> Response:
    """Borrow a book, or wait for it; a librarian may name the reader."""
    username = read_body().get("username")
    reader = current_reader() if username in (None, "") else _named(username)
    found = lending.borrow(book_id, reader.id)
    if isinstance(found, lending.Place):
        answer = jsonify(place_json(found))
        answer.status_code = 202
        return answer
    answer = jsonify(loan_json(found))
    answer.status_code = 201
    answer.headers["Location"] = url_for("api.get_loan", loan_id=found.id)
    return answer


@blueprint.delete("/api/books/<id:book_id>/wait")
@reader_required
def leave_line(book_id: int) -> tuple[str, int]:
    """Wait no longer for a book."""
    lending.leave_line(book_id, current_reader().id)
    return "", 204


@blueprint.get("/api/loans")
@reader_required
def list_loans() -> dict[str, Any]:
    """The caller's own loans, newest first.

    For a librarian with `username` those of that reader, with `overdue=1` all that are overdue.
    """
    username, overdue = request.args.get("username"), read_switch("overdue")
    reader: Reader | None = current_reader()
    if username is not None:
        reader = _named(username)
    elif overdue and current_reader().is_librarian:
        reader = None
    limit = read_limit() or catalogue.DEFAULT_LIMIT
    loans = lists.list_loans(
        reader.id if reader else None,
        overdue=overdue,
        after=read_number("after"),
        limit=limit + 1,
    )
    page = loans[:limit]
    following = page[-1].id if len(loans) > limit else None
    return {"loans": [loan_json(loan) for loan in page], "next": following}


@blueprint.get("/api/loans/<id:loan_id>")
@reader_required
def get_loan(loan_id: int) -> dict[str, Any]:
    """A loan."""
    return loan_json(lists.find_loan(loan_id, current_reader()))


@blueprint.post("/api/loans/<id:loan_id>/return")
@reader_required
def give_back(loan_id: int) -> dict[str, Any]:
    """Take a book back, as a librarian who has it in hand; `fine` is what is to be paid."""
    loan = lists.find_loan(loan_id, current_reader())
    require_librarian()
    return loan_json(lending.give_back(loan.id).loan)


@blueprint.post("/api/loans/<id:loan_id>/renew")
@reader_required
def renew(loan_id: int) -> dict[str, Any]:
    """Keep a book for longer."""
    loan = lists.find_loan(loan_id, current_reader())
    return loan_json(lending.renew(loan.id))


def _named(username: object) -> Reader:
    """The reader whom a librarian names."""
    require_librarian()
    reader = readers.find(username) if isinstance(username, str) else None
    if reader is None:
        sentence = _l("No reader has this username. The person has to log in here once.")
        raise Invalid({"username": [sentence]})
    return reader
