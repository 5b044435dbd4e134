"""Changing the password of an account, or setting its first one."""

from __future__ import annotations

from sqlalchemy import select

from app import audit
from app.accounts.lookup import locked
from app.audit import Event
from app.core.client import Client
from app.core.database import transaction
from app.core.errors import PasswordSetError, WrongPasswordError
from app.extensions import db
from app.mail import outbox
from app.mail.kinds import Kind
from app.models import User
from app.passwords import hashing
from app.passwords.hashing_pool import COMMAND_LINE
from app.proof.confirmation import Confirmed, confirm
from app.sessions import ending
from app.sessions.ending import end_all_and_commit
from app.sessions.origin import Actor


def change_password(actor: Actor, current_password: str, new_password: str) -> None:
    """Change the password and end every other session.

    Raises:
        WrongPasswordError: the current password is wrong, or was changed meanwhile.
        ReauthenticationRequiredError: the account has no password.
        TokenRevokedError: the session that asks has ended.
        BusyError: too many passwords wait to be checked.

    """
    confirmed = confirm(actor, current_password)
    hashed = hashing.hash_password(new_password, actor.flow_key)
    _store(actor, confirmed, hashed, ends_others=True)


def set_first_password(actor: Actor, new_password: str) -> None:
    """Set the first password of an account that has none.

    Raises:
        ReauthenticationRequiredError: the person's last proof in this session is too old.
        PasswordSetError: there is a password already.
        TokenRevokedError: the session that asks has ended.
        BusyError: too many passwords wait to be hashed.

    """
    confirmed = confirm(actor, None, recent_suffices=True)
    if confirmed.password is not None:
        raise PasswordSetError
    hashed = hashing.hash_password(new_password, actor.flow_key)
    try:
        _store(actor, confirmed, hashed, ends_others=False)
    except WrongPasswordError:
        raise PasswordSetError from None


def set_password(user_id: int, password: str) -> None:
    """Set a password as an operator, and end every session.

    Raises:
        NotFoundError: there is no such account.
        BusyError: too many passwords wait to be hashed.

    """
    _overwrite(user_id, hashing.hash_password(password, COMMAND_LINE))


@transaction(idempotent=True)
def _store(actor: Actor, confirmed: Confirmed, hashed: str, *, ends_others: bool) -> None:
    try:
        confirmed.apply(password=hashed, auth_epoch=User.auth_epoch + 1, pending_email=None)
    except WrongPasswordError:
        stored = db.session.scalar(select(User.password).where(User.id == actor.user_id))
        # No two hashes are alike: it is this change, and the answer to its commit was lost.
        if stored == hashed:
            return
        raise
    outbox.notify(locked(actor.user_id), Kind.PASSWORD_CHANGED, actor.client)
    ended = ending.end_all(actor.user_id, keep=actor.session_id) if ends_others else None
    db.session.commit()
    if ended is not None:
        ending.update_revocation_list(ended)
    audit.record(Event.PASSWORD_CHANGED, user_id=actor.user_id)


@transaction()
def _overwrite(user_id: int, hashed: str) -> None:
    user = locked(user_id)
    user.password = hashed
    user.auth_epoch += 1
    user.pending_email = None
    outbox.notify(user, Kind.PASSWORD_CHANGED, Client())
    end_all_and_commit(user_id)
    audit.record(Event.PASSWORD_CHANGED, user_id=user_id)
