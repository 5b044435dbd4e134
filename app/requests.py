"""The request, less forgiving than Werkzeug's."""

from __future__ import annotations

from flask import Request
from werkzeug.formparser import FormDataParser


class StrictRequest(Request):
    """A request whose broken form is an error (ValueError) and not an empty form."""

    def make_form_data_parser(self) -> FormDataParser:
        """Return a parser that says what it cannot read."""
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser
