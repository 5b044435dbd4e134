"""Sessions: one row for each login, opened by `open_session` alone and ended by that row alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from sqlalchemy import ColumnElement, Table, bindparam, case, select, update

from app.accounts import passwords, tokens
from app.accounts.errors import (
    InvalidCredentialsError,
    NotFoundError,
    SessionRefusedError,
    TokenExpiredError,
    TokenRevokedError,
)
from app.accounts.hashing import Turn
from app.accounts.limits import LoginGuess
from app.accounts.revocation import revocations
from app.accounts.tokens import AccessToken, RefreshToken
from app.accounts.users import find_by_name
from app.config import settings
from app.database import (
    lock_user,
    release_connection,
    retry_once_on_disconnect,
    updated_rows,
)
from app.extensions import db
from app.models import Identity, Session, User, lookup_key, utcnow
from app.network import network, rotation_network

# How a person logged in; names of RFC 8176 where it has one.
PASSWORD = "pwd"
FEDERATED = "fed"

# For how long the predecessor of the current refresh token gets the identical successor: from any
# network, and from the one that rotated it.
GRACE = timedelta(seconds=30)
GRACE_SAME_NETWORK = timedelta(minutes=10)
# Living sessions of an account; the oldest ends when one more begins.
MAX_SESSIONS = 100

_log = logging.getLogger("loguserapp.audit")

# A refresh is this statement alone. It is built once and goes past the ORM, which would take half
# of the request's time to build it again (`python -m benchmarks refresh`).
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
        # The later end stays, whatever lifetimes are set.
        access_expires_at=case(
            (
                _sessions.c.access_expires_at > bindparam("access_end"),
                _sessions.c.access_expires_at,
            ),
            else_=bindparam("access_end"),
        ),
    )
)


def _no_browser(_user_id: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from, as its owner will recognise it in a list.

    Attributes:
        address: the client's.
        user_agent: what the client's program calls itself.
        known_browser: the browser's id, if an account has logged in there before, else None.

    """

    address: str
    user_agent: str
    known_browser: Callable[[int], str | None] = _no_browser


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login or a refresh hands out.

    Attributes:
        user_id: whose it is.
        username: by what name.
        epoch: the account's `auth_epoch`.
        session_id: the login.
        access_token: good for `expires_in` seconds.
        refresh_token: exchanged once for the next pair.
        access_expires_at: when the access token ends, UTC.
        expires_in: life of the access token in seconds.

    """

    user_id: int
    username: str
    epoch: int
    session_id: int
    access_token: str
    refresh_token: str
    access_expires_at: datetime
    expires_in: int


class Pair(NamedTuple):
    """What a refresh hands out."""

    access_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One login of a person, as shown in the person's own list."""

    id: int
    created_at: datetime
    last_used_at: datetime
    address: str
    user_agent: str
    current: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """Sessions that a transaction ended: how many, and those whose access tokens still live."""

    count: int
    living: Sequence[tuple[int, datetime]]


def log_in(name: str, password: str, origin: Origin) -> Grant:
    """Open a session for the owner of a username or e-mail.

    Raises:
        InvalidCredentialsError: whatever the reason, the same answer after the same work.
        TooManyRequestsError: too many passwords were wrong.
        BusyError: too many passwords wait to be checked.

    """
    user = find_by_name(name)
    stored = user.password if user else None
    release_connection()
    guess = LoginGuess(
        user.id if user else name,
        origin.address,
        origin.known_browser(user.id if user else 0),
        lambda: _knows(user, origin.address),
    )
    guess.allow()
    turn = Turn(origin.address, str(user.id) if user else lookup_key(name))
    good = passwords.verify(password, stored, turn)
    if user is None or stored is None or not good:
        raise _refused_login(guess, user)
    guess.allow()
    rehashed = passwords.hash_password(password, turn) if passwords.needs_rehash(stored) else None
    try:
        return open_session(
            user.id,
            user.auth_epoch,
            origin,
            (PASSWORD,),
            proven_at=utcnow(),
            rehash=(stored, rehashed) if rehashed else None,
        )
    except SessionRefusedError:
        raise _refused_login(guess, user) from None


def open_session(
    user_id: int,
    epoch_seen: int,
    origin: Origin,
    methods: Sequence[str],
    *,
    proven_at: datetime | None = None,
    identity_id: int | None = None,
    rehash: tuple[str, str] | None = None,
) -> Grant:
    """Create a session: the only way to do so, whatever the login method.

    In the transaction of the INSERT the account's row is locked, so that a session is opened
    either before a change of the account, which then ends it, or not at all.

    Args:
        user_id: the account.
        epoch_seen: its `auth_epoch` when the person was authenticated.
        origin: where the login comes from.
        methods: how the person was authenticated: `PASSWORD`, `FEDERATED`.
        proven_at: when the person proved to be the owner, UTC; None: long ago.
        identity_id: the external identity that authenticated the person.
        rehash: the hash that was checked, and the same password's hash at today's cost.

    Raises:
        SessionRefusedError: the account is gone, disabled or changed, or the identity is gone.

    """
    user = lock_user(user_id)
    if user is None or not _may_open(user, epoch_seen, identity_id):
        disabled = user is not None and user.disabled_at is not None
        db.session.rollback()
        _log.warning("login", extra={"user_id": user_id, "outcome": "refused"})
        raise SessionRefusedError(disabled=disabled)
    if rehash and user.password == rehash[0]:
        user.password = rehash[1]
    session = _new_session(user_id, origin)
    session.methods = " ".join(methods)
    session.proven_at, session.identity_id = proven_at, identity_id
    db.session.add(session)
    db.session.flush()
    ended = _end_oldest(user_id)
    db.session.commit()
    tell_worker(ended)
    _log.info("login", extra={"user_id": user.id, "session_id": session.id, "outcome": "success"})
    return _grant(user, session.id, _current(session), session.access_expires_at)


def check(token: str) -> AccessToken:
    """Verify an access token and that its session stands, without a query.

    Raises:
        TokenError: it is malformed, expired or revoked.
        UnsureError: nobody can tell, the database having been away for too long.

    """
    access = tokens.read_access(token)
    revocations().check(access.session_id)
    return access


def refresh(token: str, origin: Origin) -> Pair:
    """Exchange a refresh token for its successor and a new access token (RFC 9700 §4.14.2).

    The current token rotates. Its predecessor, presented again because the answer got lost or
    another tab was faster, gets the identical successor: for 30 s, and for 10 minutes from the
    network that rotated it. Anything older, or the predecessor from elsewhere, is a copy: the
    session ends.

    Raises:
        TokenError: the token is malformed, expired, of the wrong type, or its session is over.

    """
    presented = tokens.read_refresh(token)
    now = utcnow()
    access_expires_at = _access_end(now)
    started_at = presented.started_at or _started_at(presented)
    successor = RefreshToken(
        presented.user_id,
        presented.session_id,
        presented.rotation + 1,
        issued_at=now,
        expires_at=_refresh_end(started_at, now),
        started_at=started_at,
    )
    if retry_once_on_disconnect(lambda: _rotate(successor, origin, access_expires_at)):
        outcome = "rotated"
    else:
        # Repeated, or a copy: which of them, the row tells.
        successor, outcome = _repeat(presented, origin, access_expires_at), "repeated"
    facts = {"user_id": successor.user_id, "session_id": successor.session_id, "outcome": outcome}
    _log.info("refresh", extra=facts)
    return Pair(
        tokens.sign_access(successor.user_id, successor.session_id, access_expires_at),
        tokens.sign_refresh(successor),
    )


def verify(token: str, origin: Origin) -> None:
    """Return if an access or refresh token would be accepted now.

    Raises:
        TokenError: it would be refused.

    """
    if tokens.is_access(token):
        check(token)
        return
    presented = tokens.read_refresh(token)
    session = db.session.get(Session, presented.session_id)
    if session is None or session.user_id != presented.user_id or session.revoked_at is not None:
        raise TokenRevokedError
    if session.expires_at <= utcnow():
        raise TokenExpiredError
    if session.rotation != presented.rotation and not _in_grace(session, presented, origin):
        raise TokenRevokedError


def log_out_by_refresh(token: str) -> None:
    """End the session of a refresh token, its access tokens included.

    Raises:
        TokenError: the token is malformed, expired, of the wrong type, or its session is over.

    """
    presented = tokens.read_refresh(token)
    if not _log_out(presented.session_id, Session.user_id == presented.user_id):
        raise TokenRevokedError


def log_out(session_id: int) -> int:
    """End a session and say whether it was alive: 1, or 0 where it was over already."""
    return _log_out(session_id)


def log_out_everywhere(user_id: int) -> int:
    """End all sessions of a person and say how many."""
    ended = _end_and_commit(user_id, Session.user_id == user_id)
    if ended.count:
        _log.info("logout", extra={"user_id": user_id, "outcome": "success"})
    return ended.count


def renew(session_id: int, origin: Origin) -> Grant:
    """Extend the session of a browser, whose cookie names it.

    Raises:
        TokenRevokedError: the session or its account is over.

    """
    now = utcnow()
    alive = (Session.id == session_id, Session.revoked_at.is_(None), Session.expires_at > now)
    used = _used(now, _access_end(now)) | {"last_address": origin.address[:45]}
    if not _update(used, *alive):
        db.session.rollback()
        raise TokenRevokedError
    joined = select(Session, User).join(User).where(Session.id == session_id)
    row = db.session.execute(joined).one_or_none()
    if row is None or row.User.disabled_at is not None:  # disabled by hand: its sessions live
        db.session.rollback()
        raise TokenRevokedError
    session, user = row.Session, row.User
    session.expires_at = _refresh_end(session.created_at, now)
    db.session.commit()
    return _grant(user, session.id, _current(session), _access_end(now))


def list_sessions(user_id: int, current_id: int | None = None) -> list[SessionInfo]:
    """A person's living sessions, the one used last first."""
    living = (
        select(Session)
        .where(*_living(user_id))
        .order_by(Session.last_used_at.desc(), Session.id.desc())
        .limit(MAX_SESSIONS)
    )
    return [
        SessionInfo(
            row.id,
            row.created_at,
            row.last_used_at,
            row.last_address,
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
    if not _log_out(session_id, Session.user_id == user_id):
        raise NotFoundError


def end_all(user_id: int, *, keep: int | None = None) -> Ended:
    """End a person's sessions in the transaction of the caller, who has locked the account's row.

    Args:
        user_id: whose.
        keep: the one session that goes on, if any.

    Returns:
        What ended, for `tell_worker` once the transaction is committed.

    """
    return _end(Session.user_id == user_id, Session.id != (keep or 0))


def end_of_identity(user_id: int, identity_id: int) -> Ended:
    """End the sessions that an external identity opened, in the caller's transaction."""
    return _end(Session.user_id == user_id, Session.identity_id == identity_id)


def tell_worker(ended: Ended) -> None:
    """Let this worker refuse the ended sessions at once."""
    for session_id, access_expires_at in ended.living:
        revocations().add(session_id, access_expires_at)


def _refused_login(guess: LoginGuess, user: User | None) -> InvalidCredentialsError:
    _log.warning("login", extra={"user_id": user and user.id, "outcome": "failure"})
    return InvalidCredentialsError(guess.count_failure())


def _knows(user: User | None, address: str) -> bool:
    """Tell whether somebody has logged in to this account from this network before."""
    before = select(Session.id).where(
        Session.user_id == (user.id if user else 0), Session.network == network(address)
    )
    found = db.session.scalar(before.limit(1)) is not None
    release_connection()
    return found


def _may_open(user: User, epoch_seen: int, identity_id: int | None) -> bool:
    if user.auth_epoch != epoch_seen or user.disabled_at is not None:
        return False
    if identity_id is None:
        return True
    connected = select(Identity.id).where(Identity.id == identity_id, Identity.user_id == user.id)
    return db.session.scalar(connected.with_for_update(read=True)) is not None


def _new_session(user_id: int, origin: Origin) -> Session:
    now = utcnow()
    return Session(
        user_id=user_id,
        created_at=now,
        last_used_at=now,
        rotation=0,
        rotated_at=now,
        expires_at=_refresh_end(now, now),
        access_expires_at=_access_end(now),
        address=origin.address[:45],
        network=network(origin.address)[:45],
        last_address=origin.address[:45],
        user_agent=origin.user_agent[:255],
    )


def _end_oldest(user_id: int) -> Ended:
    """End what exceeds `MAX_SESSIONS`; the account's row is locked."""
    newest = select(Session.id).where(*_living(user_id)).order_by(Session.id.desc())
    last = db.session.scalar(newest.offset(MAX_SESSIONS).limit(1))
    if last is None:
        return Ended(0, [])
    return _end(Session.user_id == user_id, Session.id <= last)


def _living(user_id: int) -> list[ColumnElement[bool]]:
    return [
        Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > utcnow(),
    ]  # fmt: skip


def _access_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings().access_token_ttl)


def _refresh_end(started_at: datetime, rotated_at: datetime) -> datetime:
    config = settings()
    return min(
        rotated_at + timedelta(seconds=config.refresh_token_ttl),
        started_at + timedelta(seconds=config.session_max_age),
    )


def _current(session: Session) -> RefreshToken:
    """The current refresh token of a session whose owner is there."""
    assert session.user_id is not None  # noqa: S101 - the foreign key of a living session
    return RefreshToken(
        session.user_id,
        session.id,
        session.rotation,
        issued_at=session.rotated_at,
        expires_at=session.expires_at,
        started_at=session.created_at,
    )


def _grant(
    user: User, session_id: int, refresh_token: RefreshToken, access_expires_at: datetime
) -> Grant:
    return Grant(
        user.id,
        user.username,
        user.auth_epoch,
        session_id,
        tokens.sign_access(user.id, session_id, access_expires_at),
        tokens.sign_refresh(refresh_token),
        access_expires_at,
        settings().access_token_ttl,
    )


def _used(now: datetime, access_expires_at: datetime) -> dict[str, object]:
    """What each use notes. The later end of the access tokens stays, whatever lifetimes are set."""
    later = case(
        (Session.access_expires_at > access_expires_at, Session.access_expires_at),
        else_=access_expires_at,
    )
    return {"last_used_at": now, "access_expires_at": later}


def _rotate(successor: RefreshToken, origin: Origin, access_expires_at: datetime) -> bool:
    """Make a refresh token current, if its predecessor is: one conditional UPDATE."""
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


def _repeat(presented: RefreshToken, origin: Origin, access_expires_at: datetime) -> RefreshToken:
    """Return the identical successor of a predecessor within its grace, else end the session.

    Raises:
        TokenRevokedError: the token is no predecessor within its grace.

    """
    session = db.session.get(Session, presented.session_id, populate_existing=True)
    if session is not None and _in_grace(session, presented, origin):
        unchanged = (
            Session.id == session.id,
            Session.rotation == session.rotation,
            Session.user_id == presented.user_id,
            Session.revoked_at.is_(None),
        )
        if _update(_used(utcnow(), access_expires_at), *unchanged):
            successor = _current(session)
            db.session.commit()
            return successor
    db.session.rollback()
    ended = _end_and_commit(
        presented.user_id,
        Session.id == presented.session_id,
        Session.user_id == presented.user_id,
        Session.rotation > presented.rotation,
    )
    if ended.count:
        facts = {"user_id": presented.user_id, "session_id": presented.session_id}
        _log.warning("refresh", extra=facts | {"outcome": "reuse"})
    raise TokenRevokedError


def _in_grace(session: Session, presented: RefreshToken, origin: Origin) -> bool:
    """Tell whether a token is the predecessor of the current one and may be presented again."""
    if presented.rotation != session.rotation - 1:
        return False
    age = utcnow() - session.rotated_at
    same_network = rotation_network(origin.address) == rotation_network(session.last_address)
    return age <= GRACE or (age <= GRACE_SAME_NETWORK and same_network)


def _started_at(presented: RefreshToken) -> datetime:
    """When a session began; its refresh tokens did not say so before the upgrade."""
    started_at = db.session.scalar(
        select(Session.created_at).where(Session.id == presented.session_id)
    )
    db.session.rollback()
    return started_at or presented.issued_at


def _update(values: Mapping[str, object], *where: ColumnElement[bool]) -> bool:
    return updated_rows(update(Session).where(*where).values(**values)) == 1


def _end(*where: ColumnElement[bool]) -> Ended:
    """End sessions by one UPDATE in the caller's transaction."""
    now = utcnow()
    alive = (*where, Session.revoked_at.is_(None))
    count = updated_rows(update(Session).where(*alive).values(revoked_at=now))
    if not count:
        return Ended(0, [])
    just_ended = (*where, Session.revoked_at == now, Session.access_expires_at > now)
    rows = db.session.execute(select(Session.id, Session.access_expires_at).where(*just_ended))
    return Ended(count, [(row.id, row.access_expires_at) for row in rows])


def _end_and_commit(user_id: int | None, *where: ColumnElement[bool]) -> Ended:
    # The account first, as every writer does: two that end sessions would else deadlock, one
    # coming by the primary key and the other by the index of the account.
    if user_id is not None:
        lock_user(user_id)
    ended = _end(*where)
    db.session.commit()
    tell_worker(ended)
    return ended


def _log_out(session_id: int, *where: ColumnElement[bool]) -> int:
    owner = db.session.scalar(select(Session.user_id).where(Session.id == session_id))
    ended = _end_and_commit(owner, Session.id == session_id, *where)
    if ended.count:
        facts = {"user_id": owner, "session_id": session_id, "outcome": "success"}
        _log.info("logout", extra=facts)
    return ended.count
