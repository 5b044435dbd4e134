"""Changing the username or e-mail of an account."""

from __future__ import annotations

from app import audit
from app.accounts import lookup
from app.accounts.by_mail.email_verification import add_verification
from app.accounts.lookup import Profile, locked
from app.audit import Event
from app.config import settings
from app.core.database import release_connection, transaction
from app.core.errors import EmailTakenError
from app.core.proofs import EMAIL_VERIFICATION
from app.core.unique import flush_unique, is_taken
from app.extensions import db
from app.limits.rules import count_mail, count_mail_request, may_mail
from app.mail import outbox
from app.models import User
from app.proof.confirmation import confirm
from app.sessions.origin import Actor
from app.text import lookup_key, with_key


def change_profile(
    actor: Actor,
    current_password: str,
    *,
    username: str | None = None,
    email: str | None = None,
) -> Profile:
    """Change an account's username, e-mail or both; None keeps the current value.

    A new e-mail gets a mail that proves it. With EMAIL_VERIFICATION=optional it counts at once, and
    the former address gets a link to take the account back; with `required` it counts when proven.

    Raises:
        WrongPasswordError: the password is wrong, or was changed meanwhile.
        ReauthenticationRequiredError: the account has no password.
        TokenRevokedError: the session that asks has ended.
        UsernameTakenError, EmailTakenError: another account has it.
        TooManyRequestsError: the client's address has asked for too many mails.
        BusyError: too many passwords wait to be checked.

    """
    confirmed = confirm(actor, current_password)
    before = lookup.profile(actor.user_id)
    release_connection()
    is_new = email is not None and _differs(email, before.email)
    if is_new:
        count_mail_request(actor.address)  # the mails go to addresses that the person chooses
    waits = is_new and settings().email_verification == "required"
    mails = is_new and may_mail(EMAIL_VERIFICATION, email or "")
    values: dict[str, object] = {} if username is None else {**with_key("username", username)}
    if waits:
        values["pending_email"] = email
    elif is_new:
        values |= {
            "auth_epoch": User.auth_epoch + 1, "email_verified_at": None, "pending_email": None,
        }  # fmt: skip
    if email is not None and not waits:
        values |= with_key("email", email)

    @transaction()
    def store() -> None:
        with flush_unique(username, None if waits else email, own_id=actor.user_id):
            confirmed.apply(**values)
        if email is not None and is_new:
            _mail(actor, email, None if waits else before, verify=mails)
        db.session.commit()

    store()
    if mails:
        count_mail(EMAIL_VERIFICATION, email or "")
    audit.record(Event.PROFILE_CHANGED, user_id=actor.user_id)
    if is_new and not waits:
        audit.record(Event.EMAIL_CHANGED, user_id=actor.user_id)
    return lookup.profile(actor.user_id)


def _mail(actor: Actor, email: str, former: Profile | None, *, verify: bool) -> None:
    """Add the mails of a new e-mail in the transaction: to itself, and to the former one."""
    if is_taken(email, own_id=actor.user_id):  # one that waits for its proof is in no constraint
        db.session.rollback()
        raise EmailTakenError
    user = locked(actor.user_id)
    if verify:
        add_verification(user, email, actor.client)
    if former is not None and former.email is not None:
        outbox.notify_of_email(user, former.email, actor.client, is_proven=former.email_verified)


def _differs(email: str, former: str | None) -> bool:
    return former is None or lookup_key(email) != lookup_key(former)
