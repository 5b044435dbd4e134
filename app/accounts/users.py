"""Who is who: accounts found and shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from app.accounts.errors import (
    AccountError,
    EmailTakenError,
    IdentityTakenError,
    NotFoundError,
    RegistrationClosedError,
    UsernameTakenError,
)
from app.config import settings
from app.database import violated_unique
from app.extensions import db
from app.models import User, lookup_key


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person may know of the own account; `created_at` is UTC, None if unknown."""

    id: int
    username: str
    email: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Account:
    """What whoever runs the service may know of an account; times are UTC."""

    id: int
    username: str
    email: str | None
    created_at: datetime | None
    disabled_at: datetime | None


def refuse_if_closed() -> None:
    """Refuse a new account where REGISTRATION is closed; the command line does not ask.

    Raises:
        RegistrationClosedError: it is.

    """
    if settings().registration == "closed":
        raise RegistrationClosedError


def list_all() -> list[Account]:
    """Every account, by number."""
    return [_account(user) for user in db.session.scalars(select(User).order_by(User.id))]


def account(user_id: int) -> Account:
    """What whoever runs the service may know of this account.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    return _account(get(user_id))


def find_by_name(name: str) -> User | None:
    """The account of a username or e-mail in any spelling of its case, or None."""
    key = lookup_key(name)
    either = select(User).where((User.username_key == key) | (User.email_key == key))
    # MySQL pads before it compares, so that "bob " finds "bob": what was found is compared
    # again. An e-mail that is another account's username belongs to that username.
    found = {user.username_key == key: user for user in db.session.scalars(either)}
    user = found.get(True) or found.get(False)
    return user if user and key in (user.username_key, user.email_key) else None


def get(user_id: int) -> User:
    """The account of this number.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFoundError
    return user


def profile(user_id: int) -> Profile:
    """What the owner of this account may know of it.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    return profile_of(get(user_id))


def own_words(user_id: int) -> list[str]:
    """What a guesser of this account's password would try first.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    own = profile(user_id)
    return [own.username, own.email or ""]


def has_password(user_id: int) -> bool:
    """Tell whether the owner of this account can log in with a password.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    return get(user_id).password is not None


def commit_unique(username: str | None = None, email: str | None = None) -> None:
    """Commit, and say which unique value of another account is in the way.

    Args:
        username: the username that is to be written, if any.
        email: the e-mail that is to be written, if any.

    Raises:
        UsernameTakenError, EmailTakenError, IdentityTakenError: another account has it.

    """
    with flush_unique(username, email):
        db.session.commit()


@contextmanager
def flush_unique(
    username: str | None, email: str | None, *, own_id: int | None = None
) -> Iterator[None]:
    """Translate a violated unique constraint inside the block; arguments as `commit_unique`'s.

    Args:
        username: the username that is to be written, if any.
        email: the e-mail that is to be written, if any.
        own_id: the account that is changed; None: it is new.

    """
    try:
        yield
    except IntegrityError as error:
        db.session.rollback()
        constraint = violated_unique(error)
        if constraint == "uq_identity_issuer":
            raise IdentityTakenError from None
        if constraint not in {"uq_user_username_key", "uq_user_email_key"}:
            raise
        raise _taken(username, email, own_id, constraint) from None


def _taken(
    username: str | None, email: str | None, own_id: int | None, constraint: str
) -> AccountError:
    """The refusal, the same on every database: the username first, both fields where both are."""
    name_taken = constraint == "uq_user_username_key" or _is_taken(
        User.username_key, username, own_id
    )
    email_taken = constraint == "uq_user_email_key" or _is_taken(User.email_key, email, own_id)
    db.session.rollback()
    if not name_taken:
        return EmailTakenError()
    error = UsernameTakenError()
    if email_taken:
        error.errors |= EmailTakenError().errors
    return error


def _is_taken(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    value: str | None,
    own_id: int | None,
) -> bool:
    if value is None:
        return False
    holder = db.session.scalar(select(User.id).where(column == lookup_key(value)))
    return holder is not None and holder != own_id


def profile_of(user: User) -> Profile:
    """The account as plain values."""
    return Profile(user.id, user.username, user.email, user.created_at)


def _account(user: User) -> Account:
    return Account(user.id, user.username, user.email, user.created_at, user.disabled_at)
