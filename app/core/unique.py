"""The unique values of an account: the constraint decides, and its name says which is taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from app.core import proofs
from app.core.database import violated_unique
from app.core.errors import AccountError, EmailTakenError, IdentityTakenError, UsernameTakenError
from app.extensions import db
from app.models import User
from app.text import lookup_key


def commit_unique(username: str | None = None, email: str | None = None) -> None:
    """Commit, and say which unique value of another account is in the way.

    Args:
        username: the username that is to be written, if any.
        email: the e-mail that is to be written, if any.

    Raises:
        UsernameTakenError, EmailTakenError, IdentityTakenError: another account has it.

    """
    with flush_unique(username, email):
        db.session.flush()
    db.session.commit()


@contextmanager
def flush_unique(
    username: str | None, email: str | None, *, own_id: int | None = None
) -> Iterator[None]:
    """Translate a violated unique constraint inside the block; arguments as `commit_unique`'s.

    An e-mail that its former account can still take back is taken as well. The look comes after
    the write, which has waited for a change that gives the e-mail free.

    Args:
        username: the username that is to be written, if any.
        email: the e-mail that is to be written, if any.
        own_id: the account that is changed; None: it is new.

    """
    try:
        yield
        if email is not None and proofs.is_reserved(email, for_user=own_id):
            db.session.rollback()
            raise EmailTakenError
    except IntegrityError as error:
        db.session.rollback()
        constraint = violated_unique(error)
        if constraint == "uq_identity_issuer":
            raise IdentityTakenError from None
        if constraint not in {"uq_user_username_key", "uq_user_email_key"}:
            raise
        refusal = _taken(username, email, own_id, constraint)
        db.session.rollback()
        raise refusal from None


def is_taken(email: str, *, own_id: int) -> bool:
    """Tell whether an e-mail is another account's, or was and can still be taken back."""
    return _is_taken(User.email_key, email, own_id) or proofs.is_reserved(email, for_user=own_id)


def _taken(
    username: str | None, email: str | None, own_id: int | None, constraint: str
) -> AccountError:
    """The refusal, the same on every database: the username first, both fields where both are."""
    name_taken = constraint == "uq_user_username_key" or _is_taken(
        User.username_key, username, own_id
    )
    email_taken = (
        constraint == "uq_user_email_key"
        or _is_taken(User.email_key, email, own_id)
        or (email is not None and proofs.is_reserved(email, for_user=own_id))
    )
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
