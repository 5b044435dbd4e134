"""The rule that every username obeys."""

from __future__ import annotations

import re

MIN_USERNAME = 3
MAX_USERNAME = 80
# Without the length, which pages check by itself; also an HTML `pattern`, hence the escaped hyphen.
USERNAME_PATTERN = r"[A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9])?"


def is_username(text: str) -> bool:
    """Tell whether a text obeys the rule; whether the username is free, the database decides."""
    return MIN_USERNAME <= len(text) <= MAX_USERNAME and bool(re.fullmatch(USERNAME_PATTERN, text))
