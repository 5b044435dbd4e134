"""An external identity that waits in the browser's session until it may be connected.

Its e-mail has an account, whose owner must confirm first. Why in the browser's session:
docs/decisions/social-pending-in-cookie.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from app.social.errors import StaleSignInError
from app.social.identities import ExternalIdentity
from app.social.intent import LoginIntent

# How long a person may take to find the password of the account, in seconds.
PENDING_SECONDS = 600
# What the cookie has room for, in characters.
MAX_NAME = 80
_KEY = "pending"


@dataclass(frozen=True, slots=True)
class PendingIdentity:
    """An external identity whose e-mail belongs to an account.

    Attributes:
        identity: what the provider vouched for.
        user_id: the account of the e-mail, as the page shows it.
        intent: what the login is for.
        proven_at: when the person proved to be the identity's owner, UTC, or None.

    """

    identity: ExternalIdentity
    user_id: int
    intent: LoginIntent
    proven_at: datetime | None


def store(browser: MutableMapping[str, Any], pending: PendingIdentity) -> None:
    """Store a pending identity in the browser's session."""
    identity = pending.identity
    name = identity.name[:MAX_NAME] if identity.name else None
    browser[_KEY] = {
        "identity": asdict(replace(identity, name=name)),
        "user_id": pending.user_id,
        "intent": pending.intent.to_cookie(),
        "proven_at": pending.proven_at and pending.proven_at.isoformat(),
        "until": time.time() + PENDING_SECONDS,
    }


def load(browser: Mapping[str, Any]) -> PendingIdentity:
    """Return the pending identity of the browser's session.

    Raises:
        StaleSignInError: the session has none, or the identity waits for too long.

    """
    stored = browser.get(_KEY)
    if stored is None or stored["until"] < time.time():
        raise StaleSignInError("pending")
    try:
        proven_at = stored["proven_at"]
        return PendingIdentity(
            ExternalIdentity(**stored["identity"]),
            stored["user_id"],
            LoginIntent.from_cookie(stored["intent"]),
            datetime.fromisoformat(proven_at) if proven_at else None,
        )
    except (KeyError, TypeError):  # a cookie from before an upgrade
        raise StaleSignInError("pending") from None


def forget(browser: MutableMapping[str, Any]) -> None:
    """Remove the pending identity from the browser's session."""
    browser.pop(_KEY, None)
