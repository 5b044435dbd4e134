"""The fields of a book as a form or a program sends them: checked and normalised."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l

from perpustakaan import isbn
from perpustakaan.database import utc_now
from perpustakaan.models import SHELF_LENGTH, TITLE_LENGTH
from perpustakaan.problems import Invalid
from perpustakaan.words import words_of

MAX_COPIES = 9999
MIN_YEAR = 1
# They let a text show other than it is.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class BookFields:
    """What a librarian says of a book."""

    title: str
    author: str
    isbn13: str | None
    year: int | None
    copies: int
    shelf: str


def parse(sent: Mapping[str, object]) -> BookFields:
    """Check what was sent: title, author, copies; isbn, year and shelf may be missing or blank.

    Args:
        sent: texts, or numbers as JSON has them; other fields are passed over.

    Raises:
        Invalid: with a sentence for each wrong field.

    """
    fields = _Fields(sent)
    year_to_come = utc_now().year + 1
    found = BookFields(
        title=fields.title("title"),
        author=fields.title("author"),
        isbn13=fields.isbn("isbn"),
        year=fields.number("year", MIN_YEAR, year_to_come),
        copies=fields.number("copies", 0, MAX_COPIES, is_required=True) or 0,
        shelf=fields.text("shelf", SHELF_LENGTH),
    )
    if fields.errors:
        raise Invalid(fields.errors)
    return found


class _Fields:
    """Reads one field after another and collects what is wrong in `errors`."""

    def __init__(self, sent: Mapping[str, object]) -> None:
        self._sent = sent
        self.errors: dict[str, list[Any]] = {}

    def title(self, name: str) -> str:
        text = self.text(name, TITLE_LENGTH, is_required=True)
        if text and not words_of(text):
            return self._wrong(name, _l("There must be a letter or a digit in it."))
        return text

    def text(self, name: str, longest: int, *, is_required: bool = False) -> str:
        value = self._sent.get(name)
        if value is None:
            value = ""
        if not isinstance(value, str):
            return self._wrong(name, _l("This must be text."))
        text = " ".join(unicodedata.normalize("NFC", value).split())
        if any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
            return self._wrong(name, _l("There are characters in it that cannot be shown."))
        if not _DIRECTION_MARKS.isdisjoint(text):
            return self._wrong(name, _l("There are characters in it that cannot be shown."))
        if len(text) > longest:
            return self._wrong(name, _l("At most %(count)s characters.", count=longest))
        if is_required and not text:
            return self._wrong(name, _l("This field is required."))
        return text

    def isbn(self, name: str) -> str | None:
        text = self.text(name, TITLE_LENGTH)
        number = isbn.normalize(text)
        if text and number is None:
            self._wrong(name, _l("This is no ISBN: a digit is wrong, missing or too many."))
        return number

    def number(self, name: str, least: int, most: int, *, is_required: bool = False) -> int | None:
        value = self._sent.get(name)
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value.strip(), re.ASCII):
            value = int(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            if is_required:
                self._wrong(name, _l("This field is required."))
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong(name, _l("This must be a whole number."))
            return None
        if not least <= value <= most:
            self._wrong(name, _l("From %(least)s to %(most)s.", least=str(least), most=str(most)))
            return None
        return value

    def _wrong(self, name: str, sentence: object) -> str:
        self.errors.setdefault(name, []).append(sentence)
        return ""
