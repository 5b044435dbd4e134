"""Registering accounts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app import audit
from app.accounts import lookup
from app.accounts.by_mail.email_verification import add_verification
from app.accounts.lookup import Profile
from app.audit import Event
from app.config import settings
from app.core.client import Client
from app.core.database import transaction
from app.core.errors import (
    AccountError,
    InvalidCredentialsError,
    RegistrationClosedError,
    SessionRefusedError,
)
from app.core.proofs import EMAIL_VERIFICATION
from app.core.unique import flush_unique
from app.extensions import db
from app.limits.rules import count_mail, may_mail
from app.models import User, utcnow
from app.passwords import hashing
from app.passwords.hashing_pool import COMMAND_LINE, FlowKey
from app.sessions.opening import PASSWORD, Grant, open_session
from app.sessions.origin import Origin
from app.text import with_key


def refuse_if_closed() -> None:
    """Refuse a new account if REGISTRATION is closed; commands skip this check.

    Raises:
        RegistrationClosedError: it is.

    """
    if settings().registration == "closed":
        raise RegistrationClosedError


def register(
    username: str,
    email: str,
    password: str,
    origin: Origin | None = None,
    language: str | None = None,
) -> Profile:
    """Create an account from validated fields, and mail its owner a link to prove the e-mail.

    Args:
        username: a valid one.
        email: a valid one.
        password: one that is not easy to guess.
        origin: where the request comes from; None: an operator makes the account, without a mail.
        language: the one that the owner reads; None: as the browser asks.

    Raises:
        UsernameTakenError: another account has the username, in any case; where the e-mail is
            taken as well, its `errors` name both.
        EmailTakenError: another account has the e-mail.
        BusyError: too many passwords wait to be hashed.

    """
    return lookup.profile_of(_create(username, email, password, origin, language))


def register_and_log_in(
    username: str,
    email: str,
    password: str,
    *,
    origin: Origin,
    language: str | None = None,
) -> Grant:
    """Create an account, and log its owner in: the password was just typed.

    Raises:
        UsernameTakenError, EmailTakenError, BusyError: as `register`.
        EmailUnverifiedError: the account is made, and its e-mail must be proven first.
        InvalidCredentialsError: an operator disabled or deleted the account in between.

    """
    user = _create(username, email, password, origin, language)
    try:
        return open_session(user.id, user.auth_epoch, origin, (PASSWORD,), proven_at=utcnow())
    except SessionRefusedError:
        raise InvalidCredentialsError from None


def _create(
    username: str, email: str, password: str, origin: Origin | None, language: str | None
) -> User:
    key = FlowKey(origin.address, username) if origin else COMMAND_LINE
    values = {
        **with_key("username", username),
        **with_key("email", email),
        "password": hashing.hash_password(password, key),
        "created_at": utcnow(),
        "language": language,
        "must_verify_email": origin is not None and settings().email_verification == "required",
    }
    mails = origin is not None and may_mail(EMAIL_VERIFICATION, email)
    user = _insert(values, origin.client if origin is not None and mails else None)
    if mails:
        count_mail(EMAIL_VERIFICATION, email)
    audit.record(Event.ACCOUNT_REGISTERED, user_id=user.id)
    return user


@transaction(idempotent=True)
def _insert(values: dict[str, Any], mail_for: Client | None) -> User:
    """Insert an account, with the mail that proves its e-mail if it is for a client."""
    user = User(**values)
    db.session.add(user)
    try:
        with flush_unique(user.username, user.email):
            db.session.flush()
    except AccountError:
        made = db.session.scalar(select(User).where(User.username_key == values["username_key"]))
        # No two hashes are alike: it is this account, and the answer to its commit was lost.
        if made is not None and made.password == values["password"]:
            return made
        raise
    if mail_for is not None:
        add_verification(user, values["email"], mail_for)
    db.session.commit()
    return user
