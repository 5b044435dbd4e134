"""What stands in addresses."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import IntegerConverter, Map

from perpustakaan.catalogue import MAX_ID


class IdConverter(IntegerConverter):
    """The number of a row; a larger one than any row can have is a 404."""

    def __init__(self, map: Map, **options: Any) -> None:  # noqa: A002 - Werkzeug's name
        super().__init__(map, max=MAX_ID, **options)
