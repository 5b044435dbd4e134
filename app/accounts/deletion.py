"""Deleting an account, by its owner or by an operator."""

from __future__ import annotations

from sqlalchemy import delete as sql_delete
from sqlalchemy import update

from app import audit
from app.accounts.lookup import locked
from app.audit import Event
from app.core.database import transaction
from app.extensions import db
from app.models import Session, User
from app.proof.confirmation import Confirmed, confirm
from app.sessions import ending
from app.sessions.origin import Actor


def delete_own(actor: Actor, current_password: str) -> None:
    """Delete an account at its owner's request.

    Raises:
        WrongPasswordError: the current password is wrong, or was changed meanwhile.
        ReauthenticationRequiredError: the account has no password.
        TokenRevokedError: the session that asks has ended.
        BusyError: too many passwords wait to be checked.

    """
    _delete_confirmed(confirm(actor, current_password))


@transaction()
def _delete_confirmed(confirmed: Confirmed) -> None:
    confirmed.apply(auth_epoch=User.auth_epoch + 1)
    _delete(confirmed.user_id)


@transaction()
def delete(user_id: int) -> None:
    """Delete an account as an operator.

    Raises:
        NotFoundError: there is no such account.

    """
    locked(user_id)
    _delete(user_id)


def _delete(user_id: int) -> None:
    """Delete an account whose row is locked; its sessions stay, ownerless, as revocations."""
    ended = ending.end_all(user_id)
    # Personal data is deleted with the account.
    anonymous = {"address": "", "network": "", "last_address": "", "user_agent": ""}
    db.session.execute(update(Session).where(Session.user_id == user_id).values(anonymous))
    db.session.execute(sql_delete(User).where(User.id == user_id))
    db.session.commit()
    ending.update_revocation_list(ended)
    audit.record(Event.ACCOUNT_DELETED, user_id=user_id)
