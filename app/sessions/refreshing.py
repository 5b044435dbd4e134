"""Refresh token rotation with a grace period (RFC 9700 §4.14.2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, cast

from sqlalchemy import Table, bindparam, case, select, update

from app import audit
from app.audit import Event
from app.core.database import release_connection, transaction, updated_one
from app.core.errors import TokenRevokedError
from app.core.networks import rotation_network
from app.extensions import db
from app.models import Session, utcnow
from app.sessions import refresh_tokens, tokens
from app.sessions.ending import end_sessions_and_commit
from app.sessions.lifetimes import access_end, current_refresh_token, refresh_end, use_values
from app.sessions.origin import Origin
from app.sessions.refresh_tokens import RefreshToken

# How long the predecessor of the current refresh token still gets the identical successor: from
# any network, and from the network that rotated it.
GRACE = timedelta(seconds=30)
GRACE_SAME_NETWORK = timedelta(minutes=10)


# The only statement of a refresh, built once and executed without the ORM: building it took half
# of the request's time (`python -m benchmarks refresh`).
_sessions = cast("Table", Session.__table__)
_ROTATION = (
    update(_sessions)
    .where(
        _sessions.c.id == bindparam("session"),
        _sessions.c.user_id == bindparam("owner"),
        _sessions.c.rotation == bindparam("predecessor"),
        _sessions.c.revoked_at.is_(None),
    )
    .values(
        rotation=_sessions.c.rotation + 1,
        rotated_at=bindparam("now"),
        last_used_at=bindparam("now"),
        expires_at=bindparam("end"),
        last_address=bindparam("client"),
        # Never moves back, even if the configured lifetime was lowered.
        access_expires_at=case(
            (
                _sessions.c.access_expires_at > bindparam("access_end"),
                _sessions.c.access_expires_at,
            ),
            else_=bindparam("access_end"),
        ),
    )
    .execution_options(whole_transaction=True)
)


class TokenPair(NamedTuple):
    """The result of a refresh."""

    access_token: str
    refresh_token: str


def refresh(token: str, origin: Origin) -> TokenPair:
    """Exchange a refresh token for its successor and a new access token (RFC 9700 §4.14.2).

    The current token rotates. Its predecessor, presented again because the answer got lost or
    another tab was faster, gets the identical successor: for 30 s, and for 10 minutes from the
    network that rotated it. Anything older, or the predecessor from elsewhere, is a copy: the
    session ends.

    Raises:
        TokenError: the token is malformed, expired, of the wrong type, or its session is over.

    """
    presented = refresh_tokens.read_refresh(token)
    now = utcnow()
    access_expires_at = access_end(now)
    started_at = presented.started_at or _started_at(presented)
    successor = RefreshToken(
        presented.user_id,
        presented.session_id,
        presented.rotation + 1,
        issued_at=now,
        expires_at=refresh_end(started_at, now),
        started_at=started_at,
    )
    if _rotate(successor, origin, access_expires_at):
        event = Event.SESSION_REFRESHED
    else:
        # A repeated request or a stolen token: the row tells which.
        successor = _repeat(presented, origin, access_expires_at)
        event = Event.REFRESH_TOKEN_REPEATED
    audit.record(event, user_id=successor.user_id, session_id=successor.session_id)
    return TokenPair(
        tokens.sign_access(successor.user_id, successor.session_id, access_expires_at),
        refresh_tokens.sign_refresh(successor),
    )


@transaction(idempotent=True)
def _rotate(successor: RefreshToken, origin: Origin, access_expires_at: datetime) -> bool:
    """Rotate to a refresh token if its predecessor is current: one conditional UPDATE."""
    values = {
        "session": successor.session_id,
        "owner": successor.user_id,
        "predecessor": successor.rotation - 1,
        "now": successor.issued_at,
        "end": successor.expires_at,
        "access_end": access_expires_at,
        "client": origin.address[:45],
    }
    with db.engine.begin() as connection:
        return connection.execute(_ROTATION, values).rowcount == 1


@transaction(idempotent=True)
def _repeat(presented: RefreshToken, origin: Origin, access_expires_at: datetime) -> RefreshToken:
    """Return the identical successor of a predecessor within its grace, else end the session.

    Raises:
        TokenRevokedError: the token is no predecessor within its grace.

    """
    session = db.session.get(Session, presented.session_id)
    if session is not None and in_grace(session, presented, origin):
        unchanged = (
            Session.id == session.id,
            Session.rotation == session.rotation,
            Session.user_id == presented.user_id,
            Session.revoked_at.is_(None),
        )
        used = use_values(utcnow(), access_expires_at)
        if updated_one(update(Session).where(*unchanged).values(**used)):
            successor = current_refresh_token(session)
            db.session.commit()
            return successor
    db.session.rollback()
    ended = end_sessions_and_commit(
        presented.user_id,
        Session.id == presented.session_id,
        Session.user_id == presented.user_id,
        Session.rotation > presented.rotation,
    )
    if ended.count:
        audit.record(
            Event.REFRESH_TOKEN_REUSED,
            user_id=presented.user_id,
            session_id=presented.session_id,
        )
    raise TokenRevokedError


def in_grace(session: Session, presented: RefreshToken, origin: Origin) -> bool:
    """Tell whether a token is the predecessor of the current one and may be presented again."""
    if presented.rotation != session.rotation - 1:
        return False
    age = utcnow() - session.rotated_at
    same_network = rotation_network(origin.address) == rotation_network(session.last_address)
    return age <= GRACE or (age <= GRACE_SAME_NETWORK and same_network)


def _started_at(presented: RefreshToken) -> datetime:
    """When a session began, for refresh tokens of versions without `started_at`."""
    started_at = db.session.scalar(
        select(Session.created_at).where(Session.id == presented.session_id)
    )
    release_connection()
    return started_at or presented.issued_at
