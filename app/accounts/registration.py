"""Accounts: made, changed and deleted."""

from __future__ import annotations

import logging
from typing import cast

from sqlalchemy import CursorResult, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from app.accounts import limits, passwords, sessions, users
from app.accounts.errors import (
    EmailTakenError,
    IdentityTakenError,
    PasswordSetError,
    SignInAgainError,
    UsernameTakenError,
    WrongPasswordError,
)
from app.accounts.limits import Guess
from app.accounts.users import Profile
from app.extensions import db
from app.models import User, lookup_key, utcnow

_log = logging.getLogger("loguserapp.audit")


def register(username: str, email: str, password: str) -> Profile:
    """Make an account. The fields obey the field rules already.

    Raises:
        UsernameTakenError: the username belongs to someone, in whatever case.
        EmailTakenError: the e-mail does.
        BusyError: too many passwords wait to be hashed.

    """
    user = User(
        username=username,
        email=email,
        password=passwords.hash_password(password),
        username_key=lookup_key(username),
        email_key=lookup_key(email),
        created_at=utcnow(),
    )
    db.session.add(user)
    commit_unique()
    _log.info("register", extra={"user_id": user.id, "outcome": "success"})
    return users.profile_of(user)


def change_profile(
    user_id: int, current_password: str, *, username: str | None = None, email: str | None = None
) -> Profile:
    """Give an account another username, e-mail or both; None leaves as it is.

    Raises:
        WrongPasswordError: the current password is another.
        UsernameTakenError, EmailTakenError: someone else has it.
        BusyError: too many passwords wait to be checked.

    """
    _confirm(user_id, current_password)
    user = users.get(user_id)
    if username is not None:
        user.username, user.username_key = username, lookup_key(username)
    if email is not None:
        if user.email_key != lookup_key(email):
            user.email_verified_at = None
        user.email, user.email_key = email, lookup_key(email)
    commit_unique()
    _log.info("profile", extra={"user_id": user_id, "outcome": "success"})
    return users.profile_of(user)


def change_password(
    user_id: int, current_password: str, new_password: str, *, keep_session: int
) -> None:
    """Set another password and end every session but the one that asked.

    Raises:
        WrongPasswordError: the current password is another.
        BusyError: too many passwords wait to be checked.

    """
    _confirm(user_id, current_password)
    set_password(user_id, new_password, keep_session=keep_session)


def set_password(user_id: int, password: str, *, keep_session: int | None = None) -> None:
    """Set a password without asking for the old one, and end the sessions.

    Raises:
        NotFoundError: there is no such account.
        BusyError: too many passwords wait to be hashed.

    """
    hashed = passwords.hash_password(password)
    user = users.get(user_id)
    user.password = hashed
    ended = sessions.end_all(user_id, keep=keep_session)
    db.session.commit()
    sessions.tell_worker(ended)
    _log.info("password", extra={"user_id": user_id, "outcome": "success"})


def set_first_password(user_id: int, new_password: str, *, session_id: int) -> None:
    """Give an account that has no password its first one.

    Raises:
        SignInAgainError: the person of this session signed in too long ago to be believed.
        PasswordSetError: there is a password already.
        BusyError: too many passwords wait to be hashed.

    """
    if not sessions.is_recent(session_id):
        raise SignInAgainError
    hashed = passwords.hash_password(new_password)
    none_yet = (User.id == user_id) & User.password.is_(None)
    done = db.session.execute(update(User).where(none_yet).values(password=hashed))
    db.session.commit()
    if cast("CursorResult[tuple[()]]", done).rowcount != 1:
        raise PasswordSetError
    _log.info("password", extra={"user_id": user_id, "outcome": "success"})


def delete_own(user_id: int, current_password: str) -> None:
    """Delete an account at the wish of its owner.

    Raises:
        WrongPasswordError: the current password is another.
        BusyError: too many passwords wait to be checked.

    """
    _confirm(user_id, current_password)
    delete(user_id)


def delete(user_id: int) -> None:
    """Delete an account; its sessions lose their owner, which ends them.

    Raises:
        NotFoundError: there is no such account.

    """
    users.get(user_id)
    ended = sessions.end_all(user_id)
    for session in ended:
        session.address = session.user_agent = ""
    db.session.flush()
    db.session.execute(sql_delete(User).where(User.id == user_id))
    db.session.commit()
    sessions.tell_worker(ended)
    _log.info("delete", extra={"user_id": user_id, "outcome": "success"})


def set_disabled(user_id: int, *, disabled: bool) -> None:
    """Shut a person out, sessions included, or let the person in again.

    Raises:
        NotFoundError: there is no such account.

    """
    user = users.get(user_id)
    user.disabled_at = utcnow() if disabled else None
    ended = sessions.end_all(user_id) if disabled else []
    db.session.commit()
    sessions.tell_worker(ended)
    _log.info("disable" if disabled else "enable", extra={"user_id": user_id, "outcome": "success"})


def _confirm(user_id: int, current_password: str) -> None:
    stored = users.get(user_id).password
    db.session.rollback()  # no connection is held while the password is hashed
    guess = Guess(user_id, "signed in", lambda: True)
    guess.allow()
    limits.count_confirmation(user_id)
    if not passwords.verify(current_password, stored):
        _log.warning("password", extra={"user_id": user_id, "outcome": "failure"})
        guess.count_wrong()
        raise WrongPasswordError


def commit_unique() -> None:
    """Commit, and name the rule that a duplicate breaks.

    Raises:
        UsernameTakenError, EmailTakenError, IdentityTakenError: someone else has it.

    """
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        # MySQL: Duplicate entry '…' for key 'user.uq_user_email_key'; what a person typed stands
        # before the constraint's name. SQLite: UNIQUE constraint failed: user.email_key.
        constraint = str(error.orig).rpartition(" for key ")[2]
        if "username_key" in constraint:
            raise UsernameTakenError from None
        if "email_key" in constraint:
            raise EmailTakenError from None
        if "identity" in constraint:
            raise IdentityTakenError from None
        raise
