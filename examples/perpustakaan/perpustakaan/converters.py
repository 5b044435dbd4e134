"""What stands in addresses."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class IdConverter(BaseConverter):
    """The number of a row, at most `catalogue.MAX_ID`; what is none is a 404 for every method.

    Werkzeug's own converter finds a number too large after the address has matched, and answers
    405 where another method has the same address.
    """

    regex = r"[1-9][0-9]{0,8}"

    def to_python(self, value: str) -> int:
        """The number of a text that matches."""
        return int(value)
