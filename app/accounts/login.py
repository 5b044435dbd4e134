"""Logging in with a username or e-mail and a password."""

from __future__ import annotations

import contextlib
from typing import NoReturn

from sqlalchemy import select

from app import audit
from app.accounts.by_mail.email_verification import request_missing_verification
from app.accounts.lookup import find_by_name
from app.audit import Event
from app.core.database import release_connection
from app.core.errors import (
    AlreadyVerifiedError,
    EmailUnverifiedError,
    InvalidCredentialsError,
    SessionRefusedError,
)
from app.core.networks import network
from app.extensions import db
from app.limits.attempts import LoginAttempt
from app.models import Session, User, utcnow
from app.passwords import hashing
from app.passwords.hashing_pool import FlowKey
from app.sessions.opening import PASSWORD, Grant, open_session
from app.sessions.origin import Origin
from app.text import lookup_key


def log_in(name: str, password: str, origin: Origin, *, keep: bool = False) -> Grant:
    """Open a session for the owner of a username or e-mail.

    Args:
        name: either of them, in any case.
        password: as typed.
        origin: where the request comes from.
        keep: the person asked this browser to stay logged in.

    Raises:
        InvalidCredentialsError: for every reason, after the same work.
        TooManyRequestsError: too many passwords were wrong.
        EmailUnverifiedError: the password is right, and the e-mail must be proven first.
        BusyError: too many passwords wait to be checked.

    """
    user = find_by_name(name)
    stored = user.password if user else None
    release_connection()
    guess = attempt(user, name, origin)
    guess.check()
    flow_key = FlowKey(origin.address, str(user.id) if user else lookup_key(name))
    good = hashing.verify(password, stored, flow_key)
    if user is None or stored is None or not good:
        _refuse(guess, user)
    guess.check()
    rehash = None
    if hashing.needs_rehash(stored, password):
        rehash = (stored, hashing.hash_password(password, flow_key))
    try:
        return open_session(
            user.id,
            user.auth_epoch,
            origin,
            (PASSWORD,),
            proven_at=utcnow(),
            rehash=rehash,
            keep=keep,
        )
    except EmailUnverifiedError:
        with contextlib.suppress(AlreadyVerifiedError):  # it was proven just now: log in again
            request_missing_verification(user.id, origin.client)
        raise
    except SessionRefusedError:
        _refuse(guess, user)


def attempt(user: User | None, name: str, origin: Origin) -> LoginAttempt:
    """What a guess counts as, by a password or by the code of a mail.

    Args:
        user: the account; None: there is none of this name.
        name: the username or e-mail that was sent.
        origin: where the request comes from.

    """
    return LoginAttempt(
        user.id if user else name,
        origin.address,
        origin.known_browser(user.id if user else 0),
        lambda: _knows_network(user, origin.address),
    )


def _refuse(guess: LoginAttempt, user: User | None) -> NoReturn:
    """Record and count a failed login, and refuse it."""
    audit.record(Event.LOGIN_FAILED, user_id=user.id if user else None)
    raise InvalidCredentialsError(guess.record_failure()) from None


def _knows_network(user: User | None, address: str) -> bool:
    """Tell whether this account has been logged in to from this network before."""
    before = select(Session.id).where(
        Session.user_id == (user.id if user else 0), Session.network == network(address)
    )
    found = db.session.scalar(before.limit(1)) is not None
    release_connection()
    return found
