"""Text: translatable messages, Unicode normalization, times."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Any, Literal, cast

from flask_babel import format_datetime, get_locale, gettext, ngettext
from flask_babel.speaklater import LazyString
from markupsafe import escape

# NFC makes one character of four at most, and a password has 72 bytes at most.
_MOST_COMPOSED = 4 * 72
# 24 hours in every language; Indonesian has a full stop between hour and minute.
_CLOCKS = {"en": "HH:mm", "id": "HH.mm"}


class LazyText(LazyString):  # type: ignore[misc]
    """A message that is translated each time it is shown."""

    def __html__(self) -> str:
        """Escape it: it may contain what a person typed, and the base class would trust that."""
        return str(escape(str(self)))


def _l(message: str, **variables: Any) -> str:
    """A message in the language of the person who reads it, for what is made before that is known.

    It behaves as a string, and is declared as one. `str()` of it gives the text; outside a request
    that is the English one.

    Args:
        message: the English text, which `make translations` finds; `%(name)s` for each variable.
        variables: values by name.

    """
    return cast("str", LazyText(gettext, message, **variables))


def _ln(singular: str, plural: str, num: int, **variables: Any) -> str:
    """As `_l`, for a text that depends on a number; `%(num)s` stands for that."""
    return cast("str", LazyText(ngettext, singular, plural, num, **variables))


def nfc(text: str) -> str:
    """Return a name or password in NFC, which keyboards may type in other forms.

    Putting accents in order takes the square of their number: what is longer than any name or
    password stays as it is.
    """
    return unicodedata.normalize("NFC", text) if len(text) <= _MOST_COMPOSED else text


def lookup_key(text: str) -> str:
    """Return the form of a username or e-mail that is compared: NFC, case folded."""
    return nfc(text).casefold()


def without_spaces(text: str | None) -> str | None:
    """A name, e-mail or code without the spaces around it: a phone's keyboard adds one."""
    return text.strip() if text else text


def with_key(column: Literal["username", "email"], text: str | None) -> dict[str, str | None]:
    """A username or e-mail with the column that decides its uniqueness.

    Both are written together, by an INSERT as by an UPDATE, and only from here.

    Returns:
        `{"username": text, "username_key": lookup_key(text)}`; both None where there is none.

    """
    return {column: text, f"{column}_key": None if text is None else lookup_key(text)}


def unix(moment: datetime) -> int:
    """Unix time of a time in UTC."""
    return int(moment.replace(tzinfo=UTC).timestamp())


def rfc3339(moment: datetime) -> str:
    """A time in UTC without a zone, as every table keeps it, in whole seconds (RFC 3339)."""
    return f"{moment.isoformat(timespec='seconds')}Z"


def clock(moment: datetime) -> str:
    """Hour and minute of a time in UTC: "14:05", in Indonesian "14.05"."""
    text: str = format_datetime(moment, _clock_format(), rebase=False)
    return text


def date_and_time(moment: datetime) -> str:
    """A time in UTC: "5 November 2026, 14:05", in Indonesian "5 November 2026, 14.05"."""
    text: str = format_datetime(moment, f"d MMMM y, {_clock_format()}", rebase=False)
    return text


def _clock_format() -> str:
    return _CLOCKS.get(str(get_locale()), _CLOCKS["en"])
