"""Opening sessions: `open_session` creates the one row of each login."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from app import audit
from app.audit import Event
from app.config import settings
from app.core.database import lock_user, transaction, updated_one
from app.core.errors import EmailUnverifiedError, SessionRefusedError, TokenRevokedError
from app.core.networks import network
from app.extensions import db
from app.mail import outbox
from app.mail.kinds import Kind
from app.models import Identity, Session, User, utcnow
from app.sessions import refresh_tokens, tokens
from app.sessions.ending import EndedSessions, end_sessions, update_revocation_list
from app.sessions.lifetimes import access_end, current_refresh_token, refresh_end, use_values
from app.sessions.listing import MAX_SESSIONS, is_living
from app.sessions.origin import Origin
from app.sessions.refresh_tokens import RefreshToken

# How a person logged in; names of RFC 8176 where it has one.
PASSWORD = "pwd"
FEDERATED = "fed"
# The first login of an account that was made within that time is not told.
_NEW_ACCOUNT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Grant:
    """The result of a login.

    Attributes:
        user_id: whose it is.
        username: by what name.
        epoch: the account's `auth_epoch`.
        session_id: the login.
        access_token: good for `expires_in` seconds.
        refresh_token: exchanged once for the next pair.
        access_expires_at: when the access token ends, UTC.
        expires_in: life of the access token in seconds.
        language: in which the person reads pages, if the account says so.

    """

    user_id: int
    username: str
    epoch: int
    session_id: int
    access_token: str
    refresh_token: str
    access_expires_at: datetime
    expires_in: int
    language: str | None


@transaction()
def open_session(
    user_id: int,
    epoch_seen: int,
    origin: Origin,
    methods: Sequence[str],
    *,
    proven_at: datetime | None = None,
    identity_id: int | None = None,
    rehash: tuple[str, str] | None = None,
    keep: bool = False,
) -> Grant:
    """Create a session. Every login method calls this function.

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
        keep: the person asked this browser to stay logged in. Without it a login by a page ends
            after 12 hours at the latest; programs always keep theirs.

    Raises:
        SessionRefusedError: the account is gone, disabled or changed, or the identity is gone.
        EmailUnverifiedError: the account may log in by password only once its e-mail is proven.

    """
    user = lock_user(user_id)
    if user is None or not _may_open(user, epoch_seen, identity_id):
        disabled = user is not None and user.disabled_at is not None
        db.session.rollback()
        audit.record(Event.LOGIN_REFUSED, user_id=user_id)
        raise SessionRefusedError(disabled=disabled)
    if PASSWORD in methods and _must_verify(user):
        db.session.rollback()
        audit.record(Event.LOGIN_REFUSED, user_id=user_id)
        raise EmailUnverifiedError(user_id, epoch_seen)
    if rehash and user.password == rehash[0]:
        user.password = rehash[1]
    if _is_unseen(user, origin):
        outbox.notify(user, Kind.NEW_LOGIN, origin.client)
    session = _new_session(user_id, origin, kept=keep or not origin.is_page)
    session.methods = " ".join(methods)
    session.proven_at, session.identity_id = proven_at, identity_id
    db.session.add(session)
    ended = _end_oldest(user_id)
    db.session.commit()
    update_revocation_list(ended)
    audit.record(Event.SESSION_OPENED, user_id=user.id, session_id=session.id)
    return _grant(user, session.id, current_refresh_token(session), session.access_expires_at)


@transaction(idempotent=True)
def renew(session_id: int, origin: Origin, *, kept: bool = True) -> Grant:
    """Extend the session that a browser's cookie names.

    Args:
        session_id: the login.
        origin: where the request comes from.
        kept: whether the person asked to stay logged in. The signed cookie says so, and nothing
            else renews the session, so that no column needs to.

    Raises:
        TokenRevokedError: the session or its account is over.

    """
    now = utcnow()
    alive = (Session.id == session_id, Session.revoked_at.is_(None), Session.expires_at > now)
    used = use_values(now, access_end(now)) | {"last_address": origin.address[:45]}
    if not updated_one(update(Session).where(*alive).values(**used)):
        db.session.rollback()
        raise TokenRevokedError
    joined = select(Session, User).join(User).where(Session.id == session_id)
    row = db.session.execute(joined).one_or_none()
    if row is None or row.User.disabled_at is not None:  # disabled by hand: its sessions live
        db.session.rollback()
        raise TokenRevokedError
    session, user = row.Session, row.User
    session.expires_at = refresh_end(session.created_at, now, kept=kept)
    db.session.commit()
    until = min(access_end(now), session.expires_at)
    return _grant(user, session.id, current_refresh_token(session), until)


def _may_open(user: User, epoch_seen: int, identity_id: int | None) -> bool:
    if user.auth_epoch != epoch_seen or user.disabled_at is not None:
        return False
    if identity_id is None:
        return True
    connected = select(Identity.id).where(Identity.id == identity_id, Identity.user_id == user.id)
    return db.session.scalar(connected.with_for_update(read=True)) is not None


def _must_verify(user: User) -> bool:
    required = settings().email_verification == "required"
    return required and user.must_verify_email and user.email_verified_at is None


def _is_unseen(user: User, origin: Origin) -> bool:
    """Tell whether an account that is not new sees both browser and network for the first time."""
    if origin.known_browser(user.id) is not None:
        return False
    before = select(Session.id).where(Session.user_id == user.id).limit(1)
    if db.session.scalar(before.where(Session.network == network(origin.address))) is not None:
        return False
    # Rows of sessions are deleted a month after their end.
    is_new = user.created_at is not None and user.created_at > utcnow() - _NEW_ACCOUNT
    return not is_new or db.session.scalar(before) is not None


def _new_session(user_id: int, origin: Origin, *, kept: bool) -> Session:
    now = utcnow()
    end = refresh_end(now, now, kept=kept)
    return Session(
        user_id=user_id,
        created_at=now,
        last_used_at=now,
        rotation=0,
        rotated_at=now,
        expires_at=end,
        access_expires_at=access_end(now) if kept else min(access_end(now), end),
        address=origin.address[:45],
        network=network(origin.address)[:45],
        last_address=origin.address[:45],
        user_agent=origin.user_agent[:255],
    )


def _end_oldest(user_id: int) -> EndedSessions:
    """End the oldest sessions beyond `MAX_SESSIONS`; the account's row is locked."""
    newest = select(Session.id).where(*is_living(user_id)).order_by(Session.id.desc())
    last = db.session.scalar(newest.offset(MAX_SESSIONS).limit(1))
    if last is None:
        return EndedSessions(0, [])
    return end_sessions(Session.user_id == user_id, Session.id <= last)


def _grant(
    user: User, session_id: int, refresh_token: RefreshToken, access_expires_at: datetime
) -> Grant:
    return Grant(
        user.id,
        user.username,
        user.auth_epoch,
        session_id,
        tokens.sign_access(user.id, session_id, access_expires_at),
        refresh_tokens.sign_refresh(refresh_token),
        access_expires_at,
        settings().access_token_ttl,
        user.language,
    )
