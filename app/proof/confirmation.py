"""Re-authentication: the person of a session proves to be the account's owner (ASVS 5.0, 7.5.1).

`confirm` is the only check. It returns what was confirmed, and the change that follows is one
conditional UPDATE on exactly that, since hashing takes long enough for another change to come
first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select, update

from app import audit
from app.audit import Event
from app.core.database import lock_user, release_connection, transaction, updated_one
from app.core.errors import (
    ReauthenticationRequiredError,
    TokenRevokedError,
    WrongPasswordError,
)
from app.extensions import db
from app.limits.attempts import ConfirmationAttempt
from app.models import Session, User, utcnow
from app.passwords import hashing
from app.sessions.origin import Actor

# How long a proof counts for first passwords, connections and factors.
RECENT = timedelta(minutes=10)
# The clock skew allowed for a provider.
CLOCK_SKEW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The state of the account at the time of the proof.

    Attributes:
        user_id: the account.
        session_id: the session that asked.
        password: the hash that the password was checked against; None: there is none.
        epoch: the account's `auth_epoch`.

    """

    user_id: int
    session_id: int
    password: str | None
    epoch: int

    def apply(self, **values: object) -> None:
        """Update the account's row in the caller's transaction, if nothing has changed since.

        Raises:
            TokenRevokedError: the session that asked has ended.
            WrongPasswordError: the password or another login method has changed.

        """
        lock_user(self.user_id)
        # In the order given: MySQL assigns from left to right.
        statement = update(User).where(*self._conditions()).ordered_values(*values.items())
        if not updated_one(statement):
            db.session.rollback()
            lives = db.session.scalar(select(Session.id).where(*_alive(self.session_id)))
            release_connection()
            raise WrongPasswordError if lives else TokenRevokedError

    def _conditions(self) -> list[ColumnElement[bool]]:
        return [
            User.id == self.user_id,
            User.auth_epoch == self.epoch,
            User.password.is_(None) if self.password is None else User.password == self.password,
            User.disabled_at.is_(None),
            exists().where(*_alive(self.session_id)),
        ]


def confirm(actor: Actor, password: str | None, *, recent_suffices: bool = False) -> Confirmed:
    """Check that the person of a session is the account's owner, and record a new proof.

    A password that is sent is always checked; a right one counts as a proof from now on. Without
    one, a proof within the last 10 minutes in this session counts where `recent_suffices`; an
    account that has a password is else asked for it. No transaction is open while the password is
    hashed, nor at the return.

    Args:
        actor: the session that asks.
        password: the current password as sent, or None.
        recent_suffices: whether an earlier proof counts as well.

    Raises:
        WrongPasswordError: the password is wrong, or missing where it is needed.
        ReauthenticationRequiredError: the person must log in again first.
        TokenRevokedError: the session has ended.
        TooManyRequestsError: too many passwords were wrong.
        BusyError: too many passwords wait to be checked.

    """
    row = db.session.execute(
        select(User.password, User.auth_epoch, Session.proven_at)
        .join(Session, Session.user_id == User.id)
        .where(User.id == actor.user_id, *_alive(actor.session_id))
    ).one_or_none()
    release_connection()
    if row is None:
        raise TokenRevokedError
    confirmed = Confirmed(actor.user_id, actor.session_id, row.password, row.auth_epoch)
    if password is not None and row.password is not None:
        _check_password(actor, password, row.password)
        commit_proof(actor.session_id, utcnow())
        return confirmed
    recent = row.proven_at is not None and row.proven_at >= utcnow() - RECENT
    if not (recent_suffices and recent):
        raise ReauthenticationRequiredError
    return confirmed


@transaction(idempotent=True)
def commit_proof(session_id: int, proven_at: datetime) -> None:
    """Do `record_proof`, and commit."""
    record_proof(session_id, proven_at)
    db.session.commit()


def record_proof(session_id: int, proven_at: datetime) -> None:
    """Note in the caller's transaction when the person of a session proved to be the owner.

    Raises:
        TokenRevokedError: the session has ended.

    """
    statement = update(Session).where(*_alive(session_id)).values(proven_at=proven_at)
    if not updated_one(statement):
        db.session.rollback()
        raise TokenRevokedError


def is_recent(session_id: int) -> bool:
    """Tell whether the person of this session proved to be the owner within 10 minutes."""
    proven_at = db.session.scalar(select(Session.proven_at).where(*_alive(session_id)))
    return proven_at is not None and proven_at >= utcnow() - RECENT


def is_proven_by_provider(
    authenticated_at: float | None, requested_at: float, *, begun_in_session: bool
) -> bool:
    """Tell whether a provider login proves the person to be there now.

    A provider that remembers the person answers without asking, so that only its `auth_time`
    (OpenID Connect Core §2) tells when the person was last there. Where a provider gives none, a
    login that a session began counts, which is weaker (docs/decisions/identities.md).

    Args:
        authenticated_at: the provider's `auth_time`, Unix time, or None.
        requested_at: when the browser was sent to the provider, Unix time.
        begun_in_session: whether the person was logged in here then.

    """
    if authenticated_at is None:
        return begun_in_session
    return authenticated_at >= requested_at - CLOCK_SKEW.total_seconds()


def _check_password(actor: Actor, password: str, stored: str) -> None:
    """Return if the password is right; record and count a wrong one."""
    guess = ConfirmationAttempt(actor.session_id)
    guess.check()
    if not hashing.verify(password, stored, actor.flow_key):
        audit.record(
            Event.PASSWORD_CHECK_FAILED, user_id=actor.user_id, session_id=actor.session_id
        )
        raise WrongPasswordError(guess.record_failure())
    guess.check()


def _alive(session_id: int) -> list[ColumnElement[bool]]:
    return [
        Session.id == session_id, Session.revoked_at.is_(None), Session.user_id.is_not(None),
    ]  # fmt: skip
