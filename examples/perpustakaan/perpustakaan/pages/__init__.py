"""The pages for people: HTML without JavaScript, in English and Indonesian."""

from __future__ import annotations

from flask import Flask

from perpustakaan.pages import book, book_form, catalogue, desk, errors, formats, layout, loans
from perpustakaan.pages.blueprint import blueprint

__all__ = ["book", "book_form", "catalogue", "desk", "init_app", "loans"]


def init_app(app: Flask) -> None:
    """Add the pages."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = layout.ONE_YEAR  # addresses name the version
    layout.init_app(app)
    formats.init_app(app)
    errors.init_app(app)
    app.register_blueprint(blueprint)
