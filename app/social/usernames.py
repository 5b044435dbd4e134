"""Usernames for accounts that a provider login creates."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator

from app.accounts.username_rule import MIN_USERNAME
from app.social.identities import ExternalIdentity

# How many characters of a name go into a username.
_BASE_LENGTH = 64


def usernames(identity: ExternalIdentity) -> Iterator[str]:
    """Usernames derived from the name or e-mail, without end."""
    email_name = (identity.email or "").partition("@")[0]
    base = _slug(identity.name or "") or _slug(email_name) or "user"
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
