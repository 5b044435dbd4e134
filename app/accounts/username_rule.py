"""The rule that every username obeys, and usernames that are made of another name."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator

MIN_USERNAME = 3
MAX_USERNAME = 80
# Without the length, which pages check by itself; also an HTML `pattern`, hence the escaped hyphen.
USERNAME_PATTERN = r"[A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9])?"

# How many characters of a name go into a username.
_BASE_LENGTH = 64


def is_username(text: str) -> bool:
    """Tell whether a text obeys the rule; whether the username is free, the database decides."""
    return MIN_USERNAME <= len(text) <= MAX_USERNAME and bool(re.fullmatch(USERNAME_PATTERN, text))


def usernames_like(*names: str) -> Iterator[str]:
    """Usernames derived from the first name that has letters or digits, without end."""
    base = next(filter(None, map(_slug, names)), "user")
    yield base
    for number in range(2, 6):
        yield f"{base}{number}"
    while True:
        yield f"{base}-{secrets.randbelow(1_000_000):06}"


def _slug(text: str) -> str:
    """The letters and digits of a name that a username may have, words joined by dots."""
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode("ascii")
    slug = ".".join(re.findall(r"[a-z0-9]+", plain.lower()))[:_BASE_LENGTH].rstrip(".")
    return f"{slug}.user" if 0 < len(slug) < MIN_USERNAME else slug
