"""Accounts: registered, changed, disabled and deleted.

Every change locks the account's row first and ends sessions second, and every one of a login
method raises `auth_epoch`, so that a login in progress under the former state is refused.
"""

from __future__ import annotations

import logging

from sqlalchemy import case, update
from sqlalchemy import delete as sql_delete

from app.accounts import passwords, sessions, users
from app.accounts.confirmation import Asking, confirm
from app.accounts.errors import NotFoundError, PasswordSetError, WrongPasswordError
from app.accounts.hashing import COMMAND_LINE, Turn
from app.accounts.users import Profile, commit_unique, flush_unique
from app.database import lock_user
from app.extensions import db
from app.models import Session, User, lookup_key, utcnow

_log = logging.getLogger("loguserapp.audit")


def register(username: str, email: str, password: str, turn: Turn = COMMAND_LINE) -> Profile:
    """Create an account. The fields obey the field rules already.

    Raises:
        UsernameTakenError: another account has the username, in any case; where the e-mail is
            taken as well, its `errors` name both.
        EmailTakenError: another account has the e-mail.
        BusyError: too many passwords wait to be hashed.

    """
    user = User(
        username=username,
        email=email,
        password=passwords.hash_password(password, turn),
        username_key=lookup_key(username),
        email_key=lookup_key(email),
        created_at=utcnow(),
    )
    db.session.add(user)
    commit_unique(username, email)
    _log.info("register", extra={"user_id": user.id, "outcome": "success"})
    return users.profile_of(user)


def change_profile(
    asking: Asking,
    current_password: str,
    *,
    username: str | None = None,
    email: str | None = None,
) -> Profile:
    """Change an account's username, e-mail or both; None leaves as it is.

    Raises:
        WrongPasswordError: the password is wrong, or was changed meanwhile.
        ReauthenticationRequiredError: the account has no password.
        TokenRevokedError: the session that asks has ended.
        UsernameTakenError, EmailTakenError: another account has it.
        BusyError: too many passwords wait to be checked.

    """
    confirmed = confirm(asking, current_password)
    values: dict[str, object] = {}
    if username is not None:
        values |= {"username": username, "username_key": lookup_key(username)}
    if email is not None:
        same = User.email_key == lookup_key(email)
        values |= {
            # First what looks at the e-mail: MySQL assigns from left to right.
            "auth_epoch": case((same, User.auth_epoch), else_=User.auth_epoch + 1),
            "email_verified_at": case((same, User.email_verified_at), else_=None),
            "email": email,
            "email_key": lookup_key(email),
        }
    with flush_unique(username, email, own_id=asking.user_id):
        confirmed.apply(**values)
    db.session.commit()
    _log.info("profile", extra={"user_id": asking.user_id, "outcome": "success"})
    return users.profile(asking.user_id)


def change_password(asking: Asking, current_password: str, new_password: str) -> None:
    """Set another password and end every session but the one that asks.

    Raises:
        WrongPasswordError: the current password is wrong, or was changed meanwhile.
        ReauthenticationRequiredError: the account has no password.
        TokenRevokedError: the session that asks has ended.
        BusyError: too many passwords wait to be checked.

    """
    confirmed = confirm(asking, current_password)
    hashed = passwords.hash_password(new_password, asking.turn)
    confirmed.apply(password=hashed, auth_epoch=User.auth_epoch + 1)
    ended = sessions.end_all(asking.user_id, keep=asking.session_id)
    db.session.commit()
    sessions.tell_worker(ended)
    _log.info("password", extra={"user_id": asking.user_id, "outcome": "success"})


def set_first_password(asking: Asking, new_password: str) -> None:
    """Give an account that has no password its first one.

    Raises:
        ReauthenticationRequiredError: the person's last proof in this session is too old.
        PasswordSetError: there is a password already.
        TokenRevokedError: the session that asks has ended.
        BusyError: too many passwords wait to be hashed.

    """
    confirmed = confirm(asking, None, recent_suffices=True)
    if confirmed.password is not None:
        raise PasswordSetError
    hashed = passwords.hash_password(new_password, asking.turn)
    try:
        confirmed.apply(password=hashed, auth_epoch=User.auth_epoch + 1)
    except WrongPasswordError:
        raise PasswordSetError from None
    db.session.commit()
    _log.info("password", extra={"user_id": asking.user_id, "outcome": "success"})


def delete_own(asking: Asking, current_password: str) -> None:
    """Delete an account at its owner's request.

    Raises:
        WrongPasswordError: the current password is wrong, or was changed meanwhile.
        ReauthenticationRequiredError: the account has no password.
        TokenRevokedError: the session that asks has ended.
        BusyError: too many passwords wait to be checked.

    """
    confirmed = confirm(asking, current_password)
    confirmed.apply(auth_epoch=User.auth_epoch + 1)
    _delete(asking.user_id)


def set_password(user_id: int, password: str) -> None:
    """Set a password on an operator's authority, and end every session.

    Raises:
        NotFoundError: there is no such account.
        BusyError: too many passwords wait to be hashed.

    """
    hashed = passwords.hash_password(password, COMMAND_LINE)
    user = _locked(user_id)
    user.password = hashed
    user.auth_epoch += 1
    _end_sessions(user_id)
    _log.info("password", extra={"user_id": user_id, "outcome": "success"})


def delete(user_id: int) -> None:
    """Delete an account on an operator's authority.

    Raises:
        NotFoundError: there is no such account.

    """
    _locked(user_id)
    _delete(user_id)


def set_disabled(user_id: int, *, disabled: bool) -> None:
    """Disable an account, which ends its sessions, or enable it again.

    Raises:
        NotFoundError: there is no such account.

    """
    user = _locked(user_id)
    user.disabled_at = utcnow() if disabled else None
    if disabled:
        user.auth_epoch += 1
        _end_sessions(user_id)
    else:
        db.session.commit()
    _log.info("disable" if disabled else "enable", extra={"user_id": user_id, "outcome": "success"})


def _locked(user_id: int) -> User:
    user = lock_user(user_id)
    if user is None:
        db.session.rollback()
        raise NotFoundError
    return user


def _end_sessions(user_id: int) -> None:
    db.session.flush()
    ended = sessions.end_all(user_id)
    db.session.commit()
    sessions.tell_worker(ended)


def _delete(user_id: int) -> None:
    """Delete an account whose row is locked; its sessions stay, without owner, as revocations."""
    ended = sessions.end_all(user_id)
    # What identifies the person goes with the account.
    anonymous = {"address": "", "network": "", "last_address": "", "user_agent": ""}
    db.session.execute(update(Session).where(Session.user_id == user_id).values(anonymous))
    db.session.execute(sql_delete(User).where(User.id == user_id))
    db.session.commit()
    sessions.tell_worker(ended)
    _log.info("delete", extra={"user_id": user_id, "outcome": "success"})
