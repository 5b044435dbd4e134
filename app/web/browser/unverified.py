"""A browser whose person has sent the right password, and must prove the e-mail before the login.

The signed session remembers the account for an hour, so that the proof in this browser ends in the
login, and a new mail can be asked for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from flask import redirect, session
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import EmailUnverifiedError
from app.web.negotiation import local_path

_NAME = "unverified"
_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Unverified:
    """The account, its `auth_epoch` when the password was right, and the page to go on to."""

    user_id: int
    epoch: int
    onward: str


def ask_for_proof(error: EmailUnverifiedError, onward: str) -> AnyResponse:
    """Lead the person to the page that asks for the code."""
    session[_NAME] = (error.user_id, error.epoch, int(time.time()) + _SECONDS, onward)
    return redirect("/verify", 303)


def waiting() -> Unverified | None:
    """The account that waits for its proof in this browser, or None."""
    stored = session.get(_NAME)
    if stored is None or stored[2] < time.time():
        return None
    return Unverified(stored[0], stored[1], local_path(stored[3]))
