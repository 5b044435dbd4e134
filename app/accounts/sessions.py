"""Logging in, staying in, getting out: one row for each login, revoked by that row alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, CursorResult, delete, select, update

from app.accounts import passwords, tokens
from app.accounts.errors import (
    DisabledError,
    InvalidCredentialsError,
    NotFoundError,
    TokenExpiredError,
    TokenInvalidError,
    TokenRevokedError,
)
from app.accounts.limits import Guess
from app.accounts.revocation import revocations
from app.accounts.tokens import AccessToken, RefreshToken
from app.accounts.users import find_by_name, get
from app.config import settings
from app.extensions import db
from app.models import Session, User, utcnow

# For how long a client whose answer got lost may ask again with the token it still has.
GRACE = timedelta(minutes=10)
# More than a person can look through.
_MOST_LISTED = 100
# For how long after signing in a person need not prove again who it is.
RECENT = timedelta(minutes=10)

_log = logging.getLogger("loguserapp.audit")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from, as its owner will recognise it in a list."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login or a refresh hands out.

    Attributes:
        user_id: whose it is.
        username: by what name.
        session_id: the login.
        access_token: good for `expires_in` seconds.
        refresh_token: exchanged once for the next pair.
        expires_in: life of the access token in seconds.

    """

    user_id: int
    username: str
    session_id: int
    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One login of a person, as shown in the person's own list."""

    id: int
    created_at: datetime
    last_used_at: datetime
    address: str
    user_agent: str
    current: bool


def log_in(name: str, password: str, origin: Origin) -> Grant:
    """Open a session for the owner of a username or e-mail.

    Raises:
        InvalidCredentialsError: whatever the reason, the same answer after the same work.
        TooManyRequestsError: too many passwords were wrong lately.
        BusyError: too many passwords wait to be checked.

    """
    user = find_by_name(name)
    stored = user.password if user else None
    db.session.close()  # no connection is held while the password is hashed
    guess = Guess(user.id if user else name, origin.address, lambda: _knows(user, origin.address))
    guess.allow()
    good = passwords.verify(password, stored)
    if user is None or stored is None or not good or user.disabled_at is not None:
        _log.warning("login", extra={"user_id": user and user.id, "outcome": "failure"})
        guess.count_wrong()
        raise InvalidCredentialsError
    guess.allow()
    if passwords.needs_rehash(stored):
        rehashed = passwords.hash_password(password)
        # Only over the hash that was checked: a password changed meanwhile stays changed.
        unchanged = (User.id == user.id) & (User.password == stored)
        db.session.execute(update(User).where(unchanged).values(password=rehashed))
    session = _open(user.id, origin)
    db.session.commit()
    _log.info("login", extra={"user_id": user.id, "session_id": session.id, "outcome": "success"})
    return _grant(session, user)


def open_for(user_id: int, origin: Origin) -> Grant:
    """Open a session for somebody who proved in another way than by password who it is.

    Raises:
        NotFoundError: there is no such account, or none any more.
        DisabledError: the account is shut out.

    """
    user = get(user_id)
    if user.disabled_at is not None:
        db.session.rollback()
        _log.warning("login", extra={"user_id": user_id, "outcome": "failure"})
        raise DisabledError
    session = _open(user_id, origin)
    db.session.commit()
    _log.info("login", extra={"user_id": user_id, "session_id": session.id, "outcome": "success"})
    return _grant(session, user)


def is_recent(session_id: int) -> bool:
    """Tell whether the person of this session signed in only just now."""
    opened_at = db.session.scalar(select(Session.created_at).where(Session.id == session_id))
    db.session.rollback()
    return opened_at is not None and opened_at >= utcnow() - RECENT


def check(token: str) -> AccessToken:
    """Verify an access token and that its session stands, without a query.

    Raises:
        TokenError: it is malformed, expired or revoked.
        UnsureError: nobody can tell, the database having been away for too long.

    """
    access = tokens.read_access(token)
    revocations().check(access.session_id)
    return access


def refresh(token: str) -> Grant:
    """Exchange a refresh token for the next one and a fresh access token.

    The current token rotates. The one before it, presented again within `GRACE` because its
    answer got lost or another tab was faster, gets the identical successor. Anything older was
    copied by somebody: the session ends (RFC 9700 §4.14.2).

    Raises:
        TokenError: the token is malformed, expired, of the wrong type, or its session is over.

    """
    facts = tokens.read_refresh(token)
    now = utcnow()
    access_expires_at = now + timedelta(seconds=settings().access_token_ttl)
    used = {"last_used_at": now, "access_expires_at": access_expires_at}
    alive = (
        Session.id == facts.session_id,
        Session.user_id == facts.user_id,
        Session.revoked_at.is_(None),
    )
    rotated = {"rotation": facts.rotation + 1, "rotated_at": now}
    repeated = (Session.rotation == facts.rotation + 1, Session.rotated_at >= now - GRACE)
    # Each is one conditional UPDATE whose row count decides, so that no reading between two
    # statements can be overtaken, neither by a parallel refresh nor by a logout.
    if _update(used | rotated, *alive, Session.rotation == facts.rotation):
        outcome = "rotated"
    elif _update(used, *alive, *repeated):
        outcome = "repeated"
    else:
        raise _refused(facts)
    session, user = _read(facts.session_id)
    if outcome == "rotated":
        session.expires_at = _refresh_end(session.created_at, now)
    if user.disabled_at is not None:
        db.session.rollback()
        log_out(session.id)
        raise TokenRevokedError
    db.session.commit()
    _log.info("refresh", extra={"user_id": user.id, "session_id": session.id, "outcome": outcome})
    return _grant(session, user)


def verify(token: str) -> None:
    """Return if an access or refresh token would be accepted now.

    Raises:
        TokenError: it would be refused.

    """
    if tokens.is_access(token):
        check(token)
    else:
        _standing(tokens.read_refresh(token))


def log_out_by_refresh(token: str) -> None:
    """End the session of a refresh token, its access tokens included.

    Raises:
        TokenError: the token is malformed, expired, of the wrong type, or its session is over.

    """
    facts = tokens.read_refresh(token)
    if not _log_out(Session.id == facts.session_id, Session.user_id == facts.user_id):
        raise TokenRevokedError


def log_out(session_id: int) -> int:
    """End a session and say whether it was alive: 1, or 0 where it was over already."""
    return _log_out(Session.id == session_id)


def log_out_everywhere(user_id: int) -> int:
    """End all sessions of a person and say how many."""
    return _log_out(Session.user_id == user_id)


def renew(session_id: int) -> Grant:
    """Go on with a browser's session, whose cookie names it.

    Raises:
        TokenRevokedError: the session or its account is over.

    """
    now = utcnow()
    access_expires_at = now + timedelta(seconds=settings().access_token_ttl)
    used = {"last_used_at": now, "access_expires_at": access_expires_at}
    alive = (Session.id == session_id, Session.revoked_at.is_(None), Session.expires_at > now)
    if not _update(used, *alive, Session.user_id.is_not(None)):
        db.session.rollback()
        raise TokenRevokedError
    session, user = _read(session_id)
    if user.disabled_at is not None:
        db.session.rollback()
        raise TokenRevokedError
    session.expires_at = _refresh_end(session.created_at, now)
    db.session.commit()
    return _grant(session, user)


def list_sessions(user_id: int, current_id: int | None = None) -> list[SessionInfo]:
    """A person's living sessions, the one used last first; of very many the first ones."""
    living = (
        select(Session)
        .where(
            Session.user_id == user_id,
            Session.revoked_at.is_(None),
            Session.expires_at > utcnow(),
        )
        .order_by(Session.last_used_at.desc(), Session.id.desc())
        .limit(_MOST_LISTED)
    )
    return [
        SessionInfo(
            row.id,
            row.created_at,
            row.last_used_at,
            row.address,
            row.user_agent,
            row.id == current_id,
        )
        for row in db.session.scalars(living)
    ]


def revoke(user_id: int, session_id: int) -> None:
    """End one of a person's own sessions.

    Raises:
        NotFoundError: the person has no such living session.

    """
    if not _log_out(Session.id == session_id, Session.user_id == user_id):
        raise NotFoundError


def end_all(user_id: int, *, keep: int | None = None) -> Sequence[Session]:
    """Mark a person's sessions as over, in the transaction of the caller.

    Args:
        user_id: whose.
        keep: the one session that goes on, if any.

    Returns:
        The sessions that ended, for `tell_worker` once the transaction is committed.

    """
    return _mark(Session.user_id == user_id, Session.id != (keep or 0))


def tell_worker(ended: Sequence[Session]) -> None:
    """Let this worker refuse the ended sessions at once."""
    for session in ended:
        revocations().add(session.id, session.access_expires_at)


def purge(older_than: timedelta) -> int:
    """Delete the sessions that ended that long ago, and say how many.

    Never one whose access tokens could still be alive: its row is what revokes them.
    """
    now = utcnow()
    before = now - older_than
    over = (Session.revoked_at < before) | (Session.expires_at < before)
    done = db.session.execute(delete(Session).where(over, Session.access_expires_at < now))
    db.session.commit()
    return cast("CursorResult[tuple[()]]", done).rowcount


def _knows(user: User | None, address: str) -> bool:
    """Tell whether somebody has logged in to this account from this address before."""
    before = select(Session.id).where(
        Session.address == address, Session.user_id == (user and user.id)
    )
    found = db.session.scalar(before.limit(1)) is not None
    db.session.rollback()
    return found


def _open(user_id: int, origin: Origin) -> Session:
    now = utcnow()
    session = Session(
        user_id=user_id,
        created_at=now,
        last_used_at=now,
        rotation=0,
        rotated_at=now,
        expires_at=_refresh_end(now, now),
        access_expires_at=now + timedelta(seconds=settings().access_token_ttl),
        address=origin.address[:45],
        user_agent=origin.user_agent[:255],
    )
    db.session.add(session)
    return session


def _refresh_end(created_at: datetime, rotated_at: datetime) -> datetime:
    config = settings()
    return min(
        rotated_at + timedelta(seconds=config.refresh_token_ttl),
        created_at + timedelta(seconds=config.session_max_age),
    )


def _grant(session: Session, user: User) -> Grant:
    return Grant(
        user.id,
        user.username,
        session.id,
        tokens.sign_access(user.id, session.id, session.access_expires_at),
        tokens.sign_refresh(
            RefreshToken(
                user.id, session.id, session.rotation, session.rotated_at, session.expires_at
            )
        ),
        settings().access_token_ttl,
    )


def _update(values: Mapping[str, object], *where: ColumnElement[bool]) -> bool:
    statement = update(Session).where(*where).values(**values)
    done = db.session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[tuple[()]]", done).rowcount == 1


def _read(session_id: int) -> tuple[Session, User]:
    row = db.session.execute(select(Session, User).join(User).where(Session.id == session_id)).one()
    return row.Session, row.User


def _standing(facts: RefreshToken) -> None:
    """Return if the current refresh token, or the one before it in its grace, is this one."""
    session = db.session.get(Session, facts.session_id)
    if session is None or session.user_id != facts.user_id or session.revoked_at is not None:
        raise TokenRevokedError
    if session.expires_at <= utcnow():
        raise TokenExpiredError
    previous = facts.rotation == session.rotation - 1 and session.rotated_at >= utcnow() - GRACE
    if facts.rotation != session.rotation and not previous:
        raise TokenRevokedError


def _refused(facts: RefreshToken) -> TokenRevokedError | TokenInvalidError:
    """Why no UPDATE matched; an old token of a living session ends it before it is refused."""
    db.session.rollback()  # a new snapshot, after whatever overtook the UPDATE
    ended = _revoke(
        Session.id == facts.session_id,
        Session.user_id == facts.user_id,
        Session.rotation > facts.rotation,
    )
    if ended:
        _log.warning(
            "refresh",
            extra={"user_id": facts.user_id, "session_id": facts.session_id, "outcome": "reuse"},
        )
    return TokenRevokedError()


def _mark(*where: ColumnElement[bool]) -> Sequence[Session]:
    living = select(Session).where(*where, Session.revoked_at.is_(None)).with_for_update()
    ended = db.session.scalars(living).all()
    for session in ended:
        session.revoked_at = utcnow()
    return ended


def _log_out(*where: ColumnElement[bool]) -> int:
    ended = _revoke(*where)
    for session in ended:
        _log.info("logout", extra={"user_id": session.user_id, "session_id": session.id})
    return len(ended)


def _revoke(*where: ColumnElement[bool]) -> Sequence[Session]:
    ended = _mark(*where)
    db.session.commit()
    tell_worker(ended)
    return ended
