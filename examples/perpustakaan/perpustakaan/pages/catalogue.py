"""The catalogue: search, sort, page."""

from __future__ import annotations

from flask import render_template, request

from perpustakaan import catalogue
from perpustakaan.pages.blueprint import blueprint
from perpustakaan.problems import Invalid

# Rows of 2, 3, 4 and 6 covers all end full.
_BOOKS_ON_A_PAGE = 24


@blueprint.get("/")
def list_books() -> str | tuple[str, int]:
    """Show a page of the catalogue."""
    q, sort = request.args.get("q", ""), request.args.get("sort", "title")
    after = request.args.get("after", "")
    try:
        page = catalogue.search(q, sort, after, str(_BOOKS_ON_A_PAGE))
    except Invalid as wrong:
        if "q" not in wrong.errors:
            raise
        # What was typed stays in the form, beside what is wrong with it.
        error = wrong.errors["q"][0]
        return render_template("catalogue.html", q=q, sort="title", page=None, error=error), 400
    return render_template("catalogue.html", q=q, sort=sort, after=after, page=page)
