"""Usernames for accounts that a provider login creates."""

from __future__ import annotations

from collections.abc import Iterator

from app.accounts.username_rule import usernames_like
from app.social.identities import ExternalIdentity


def usernames(identity: ExternalIdentity) -> Iterator[str]:
    """Usernames derived from the name or e-mail, without end."""
    return usernames_like(identity.name or "", (identity.email or "").partition("@")[0])
