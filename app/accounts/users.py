"""Who is who: accounts found and shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.accounts.errors import NotFoundError
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


def profile_of(user: User) -> Profile:
    """The account as plain values."""
    return Profile(user.id, user.username, user.email, user.created_at)


def _account(user: User) -> Account:
    return Account(user.id, user.username, user.email, user.created_at, user.disabled_at)
