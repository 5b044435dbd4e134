"""Finding accounts, and their data for owners and operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.core.database import lock_user
from app.core.errors import NotFoundError
from app.extensions import db
from app.models import User
from app.text import lookup_key


@dataclass(frozen=True, slots=True)
class Profile:
    """An account as its owner sees it.

    Attributes:
        id: its number.
        username: as the person wrote it.
        email: likewise, or None.
        created_at: UTC; None: unknown.
        email_verified: whether the e-mail is proven to be the person's.
        pending_email: the e-mail that takes its place once it is proven, or None.

    """

    id: int
    username: str
    email: str | None
    created_at: datetime | None
    email_verified: bool
    pending_email: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """An account as an operator sees it; times are UTC."""

    id: int
    username: str
    email: str | None
    created_at: datetime | None
    disabled_at: datetime | None


def list_all() -> list[Account]:
    """Return every account, ordered by id."""
    return [_account(user) for user in db.session.scalars(select(User).order_by(User.id))]


def account(user_id: int) -> Account:
    """Return an account as an operator sees it.

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
    """Return the account with this id.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFoundError
    return user


def locked(user_id: int) -> User:
    """Return the account with this id and lock its row until the end of the transaction.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    user = lock_user(user_id)
    if user is None:
        db.session.rollback()
        raise NotFoundError
    return user


def profile(user_id: int) -> Profile:
    """Return an account as its owner sees it.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    return profile_of(get(user_id))


def own_words(user_id: int) -> list[str]:
    """Return the words that a guesser of this account's password would try first.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    own = profile(user_id)
    return [own.username, own.email or ""]


def is_at_epoch(user_id: int, epoch: int) -> bool:
    """Tell whether an account is there and nothing that logs in to it has changed since."""
    user = db.session.get(User, user_id)
    return user is not None and user.auth_epoch == epoch


def has_password(user_id: int) -> bool:
    """Tell whether the owner of this account can log in with a password.

    Raises:
        NotFoundError: there is none, or none any more.

    """
    return get(user_id).password is not None


def profile_of(user: User) -> Profile:
    """The account as plain values."""
    return Profile(
        user.id,
        user.username,
        user.email,
        user.created_at,
        user.email_verified_at is not None,
        user.pending_email,
    )


def _account(user: User) -> Account:
    return Account(user.id, user.username, user.email, user.created_at, user.disabled_at)
