"""Ending sessions: the row is marked, and every worker then refuses its access tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, update

from app import audit
from app.audit import Event
from app.core.database import lock_user, transaction, updated_rows
from app.core.errors import NotFoundError, TokenRevokedError
from app.extensions import db
from app.models import Session, utcnow
from app.sessions import refresh_tokens
from app.sessions.revocation import revocation_list


@dataclass(frozen=True, slots=True)
class EndedSessions:
    """Sessions that a transaction ended: how many, and those whose access tokens still live."""

    count: int
    living: Sequence[tuple[int, datetime]]


def log_out_by_refresh(token: str) -> None:
    """End the session of a refresh token, its access tokens included.

    Raises:
        TokenError: the token is malformed, expired, of the wrong type, or its session is over.

    """
    presented = refresh_tokens.read_refresh(token)
    if not _log_out(presented.session_id, Session.user_id == presented.user_id):
        raise TokenRevokedError


def log_out(session_id: int) -> int:
    """End a session; return 1, or 0 if it had already ended."""
    return _log_out(session_id)


def log_out_everywhere(user_id: int, *, keep: int | None = None) -> int:
    """End all sessions of an account but the one to keep, if any, and return how many."""
    ended = end_sessions_and_commit(user_id, Session.user_id == user_id, Session.id != (keep or 0))
    if ended.count:
        audit.record(Event.SESSION_ENDED, user_id=user_id, count=ended.count)
    return ended.count


def revoke(user_id: int, session_id: int) -> None:
    """End one of a person's own sessions.

    Raises:
        NotFoundError: the person has no such living session.

    """
    if not _log_out(session_id, Session.user_id == user_id):
        raise NotFoundError


def end_all(user_id: int, *, keep: int | None = None) -> EndedSessions:
    """End a person's sessions in the transaction of the caller, who has locked the account's row.

    Args:
        user_id: whose.
        keep: the one session that goes on, if any.

    Returns:
        What ended, for `update_revocation_list` after the commit.

    """
    return end_sessions(Session.user_id == user_id, Session.id != (keep or 0))


def end_all_and_commit(user_id: int) -> None:
    """End a person's sessions and commit, the account's row being locked and changed."""
    ended = end_all(user_id)
    db.session.commit()
    update_revocation_list(ended)


def end_of_identity(user_id: int, identity_id: int) -> EndedSessions:
    """End the sessions that an external identity opened, in the caller's transaction."""
    return end_sessions(Session.user_id == user_id, Session.identity_id == identity_id)


def update_revocation_list(ended: EndedSessions) -> None:
    """Make this worker refuse the ended sessions at once."""
    for session_id, access_expires_at in ended.living:
        revocation_list().add(session_id, access_expires_at)


def end_sessions(*where: ColumnElement[bool]) -> EndedSessions:
    """End sessions by one UPDATE in the caller's transaction."""
    now = utcnow()
    alive = (*where, Session.revoked_at.is_(None))
    count = updated_rows(update(Session).where(*alive).values(revoked_at=now))
    if not count:
        return EndedSessions(0, [])
    just_ended = (*where, Session.revoked_at == now, Session.access_expires_at > now)
    rows = db.session.execute(select(Session.id, Session.access_expires_at).where(*just_ended))
    return EndedSessions(count, [(row.id, row.access_expires_at) for row in rows])


@transaction()
def end_sessions_and_commit(user_id: int | None, *where: ColumnElement[bool]) -> EndedSessions:
    """End sessions of one account, commit, and let this worker refuse them."""
    # The account's row first, as in every writer: otherwise two transactions that end sessions
    # could deadlock, one using the primary key and the other the index on the account.
    if user_id is not None:
        lock_user(user_id)
    ended = end_sessions(*where)
    db.session.commit()
    update_revocation_list(ended)
    return ended


def _log_out(session_id: int, *where: ColumnElement[bool]) -> int:
    owner = db.session.scalar(select(Session.user_id).where(Session.id == session_id))
    ended = end_sessions_and_commit(owner, Session.id == session_id, *where)
    if ended.count:
        audit.record(Event.SESSION_ENDED, user_id=owner, session_id=session_id)
    return ended.count
