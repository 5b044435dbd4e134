"""The username and e-mail that a person chooses once for an account of a provider login."""

from __future__ import annotations

from sqlalchemy import exists, select, update

from app import audit
from app.accounts import lookup
from app.accounts.by_mail.email_verification import add_verification
from app.accounts.lookup import Profile, locked
from app.audit import Event
from app.config import settings
from app.core.database import lock_user, transaction, updated_one
from app.core.errors import EmailTakenError, NotFoundError
from app.core.proofs import EMAIL_VERIFICATION
from app.core.unique import flush_unique, is_taken
from app.extensions import db
from app.limits.rules import count_mail, may_mail
from app.models import User, utcnow
from app.sessions.listing import is_alive
from app.sessions.origin import Actor
from app.text import with_key


def is_first_login(user_id: int) -> bool:
    """Tell whether the username of a created account can still be chosen."""
    until = db.session.scalar(select(User.first_visit_until).where(User.id == user_id))
    return until is not None and until > utcnow()


def complete_first_login(actor: Actor, username: str, email: str | None = None) -> Profile:
    """Set, once, the username and the missing e-mail of a created account.

    The fields obey the field rules already. The e-mail stays unproven.

    Raises:
        NotFoundError: the time for the choice is over, or the choice was made.
        UsernameTakenError, EmailTakenError: another account has the name or the e-mail.

    """
    mails = email is not None and may_mail(EMAIL_VERIFICATION, email)
    _complete(actor, username, email, mails=mails)
    if mails:
        count_mail(EMAIL_VERIFICATION, email or "")
    audit.record(Event.PROFILE_CHANGED, user_id=actor.user_id)
    return lookup.profile(actor.user_id)


@transaction()
def _complete(actor: Actor, username: str, email: str | None, *, mails: bool) -> None:
    lock_user(actor.user_id)
    values: dict[str, object] = {**with_key("username", username), "first_visit_until": None}
    open_until = [User.id == actor.user_id, User.first_visit_until > utcnow()]
    waits = email is not None and settings().email_verification == "required"
    if waits:
        values["pending_email"] = email
    elif email is not None:
        values |= {**with_key("email", email), "auth_epoch": User.auth_epoch + 1}
    if email is not None:
        open_until.append(User.email.is_(None))
    with flush_unique(username, None if waits else email, own_id=actor.user_id):
        chosen = updated_one(
            update(User).where(*open_until, exists().where(*is_alive(actor))).values(**values)
        )
    if not chosen:
        db.session.rollback()
        raise NotFoundError
    if waits and is_taken(email or "", own_id=actor.user_id):
        db.session.rollback()
        raise EmailTakenError
    if mails and email is not None:
        add_verification(locked(actor.user_id), email, actor.client)
    db.session.commit()
