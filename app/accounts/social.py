"""Logging in with an external identity: which account it opens, and which one it may join.

The key is (issuer, subject), never the e-mail: an e-mail can pass to somebody else. An e-mail
only helps a first visit to find its account, and only where both sides have proven it and the
provider is authoritative for its domain (docs/decisions/identities.md).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import ColumnElement, delete, exists, select, update

from app.accounts import one_time, sessions, users
from app.accounts.confirmation import Asking, confirm, record_proof
from app.accounts.errors import (
    ConnectNeededError,
    DisabledError,
    EmailTakenError,
    IdentityTakenError,
    InvalidGrantError,
    LastWayInError,
    NotFoundError,
    ReauthenticationRequiredError,
    SessionRefusedError,
    StaleSignInError,
    UnknownCodeError,
    UsernameTakenError,
)
from app.accounts.sessions import Grant, Origin
from app.accounts.users import Profile, commit_unique, flush_unique, refuse_if_closed
from app.config import settings
from app.database import lock_user, updated_one
from app.extensions import db
from app.models import Identity, Session, User, lookup_key, utcnow

CODE_SECONDS = 60
# How long a person whose account a provider login created may choose its username.
FIRST_VISIT = timedelta(hours=1)
# What of a name goes into a username, which may be longer.
_BASE_LENGTH = 64
_TRIES = 12

_log = logging.getLogger("loguserapp.audit")


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """A person as a provider vouches for.

    Attributes:
        provider: google, facebook or oidc.
        issuer: who vouches, as `iss` of OpenID Connect.
        subject: who the person is there, for good.
        email: an e-mail that obeys the field rules, or None.
        email_proven: the provider says that the e-mail is the person's own, and is authoritative
            for its domain.
        name: what the person is called there, or None.

    """

    provider: str
    issuer: str
    subject: str
    email: str | None
    email_proven: bool
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """The account that an external identity opens.

    Attributes:
        user_id: the account.
        epoch: its `auth_epoch`.
        identity_id: the identity's row.
        created: the account was created by this visit.
        password_removed: the identity joined an account whose earlier password was removed.

    """

    user_id: int
    epoch: int
    identity_id: int
    created: bool = False
    password_removed: bool = False


@dataclass(frozen=True, slots=True)
class IdentityInfo:
    """One external identity, as its owner sees it; `usable`: its issuer is configured."""

    id: int
    provider: str
    email: str | None
    created_at: datetime
    usable: bool


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """The account that the page asks for: the one of the identity's e-mail.

    Attributes:
        user_id: the account.
        can_decline: the person may go on without it, since its holder never proved the e-mail.

    """

    user_id: int
    can_decline: bool


def visit(identity: ExternalIdentity) -> Visit:
    """Find the account that an external identity opens; at a first visit join or create one.

    Raises:
        ConnectNeededError: the e-mail has an account that must not be joined without asking.
        DisabledError: the account is disabled.
        RegistrationClosedError: it would create an account.

    """
    try:
        return _visit(identity)
    except (EmailTakenError, IdentityTakenError):  # a parallel visit was first: find its result
        return _visit(identity)


def open_session(visit: Visit, origin: Origin, proven_at: datetime | None) -> Grant:
    """Open a session for the person of a visit.

    Raises:
        DisabledError: the account has been disabled meanwhile.
        StaleSignInError: it changed meanwhile, or the identity was disconnected.

    """
    try:
        return sessions.open_session(
            visit.user_id,
            visit.epoch,
            origin,
            (sessions.FEDERATED,),
            proven_at=proven_at,
            identity_id=visit.identity_id,
        )
    except SessionRefusedError as refused:
        if refused.disabled:
            raise DisabledError from None
        raise StaleSignInError("the account changed") from None


def connect(asking: Asking, epoch: int, identity: ExternalIdentity) -> Visit:
    """Let an external identity log in to the account of a person who has confirmed it.

    Args:
        asking: the session in which the person confirmed.
        epoch: the account's `auth_epoch` at that time.
        identity: what the provider vouches for.

    Raises:
        IdentityTakenError: the identity logs in to another account.
        StaleSignInError: the account or the session has changed since.

    """
    user = _confirmed(asking, epoch)
    row = _row(user, identity)
    db.session.add(row)
    try:
        commit_unique()
    except IdentityTakenError:
        found = _find(identity)
        db.session.rollback()
        if found is None or found[1].id != asking.user_id:
            _audit("social_connect", identity, asking.user_id, "refused")
            raise
        row = found[0]
    _audit("social_connect", identity, asking.user_id)
    return Visit(asking.user_id, epoch, row.id)


def disconnect(asking: Asking, identity_id: int, password: str | None) -> str:
    """Stop an external identity from logging in, end what it opened, and return its provider.

    Raises:
        NotFoundError: the person has no such identity.
        LastWayInError: the account would have no login method left.
        WrongPasswordError, ReauthenticationRequiredError: the person did not confirm it.
        TokenRevokedError: the session that asks has ended.

    """
    confirmed = confirm(asking, password, recent_suffices=True)
    confirmed.apply(auth_epoch=confirmed.epoch)  # its row is locked from here on
    own = select(Identity).where(Identity.user_id == asking.user_id)
    found = {identity.id: identity for identity in db.session.scalars(own.with_for_update())}
    leaving = found.pop(identity_id, None)
    if leaving is None:
        db.session.rollback()
        raise NotFoundError
    facts = {"user_id": asking.user_id, "provider": leaving.provider}
    if confirmed.password is None and not any(map(_is_usable, found.values())):
        db.session.rollback()
        _log.warning("social_disconnect", extra=facts | {"outcome": "refused"})
        raise LastWayInError
    db.session.delete(leaving)
    db.session.flush()
    one_time.revoke(one_time.LOGIN_CODE, asking.user_id, subject=str(identity_id))
    ended = sessions.end_of_identity(asking.user_id, identity_id)
    db.session.commit()
    sessions.tell_worker(ended)
    _log.info("social_disconnect", extra=facts | {"outcome": "success"})
    return leaving.provider


def reauthenticate(asking: Asking, identity: ExternalIdentity, proven_at: datetime | None) -> None:
    """Count a provider login as proof that the person of a session is the owner.

    Raises:
        StaleSignInError: the identity does not log in to this account.
        ReauthenticationRequiredError: the provider did not ask the person.
        TokenRevokedError: the session has ended.

    """
    found = _find(identity)
    db.session.rollback()
    if found is None or found[1].id != asking.user_id:
        raise StaleSignInError("another person")
    if proven_at is None:
        _audit("social_confirm", identity, asking.user_id, "refused")
        raise ReauthenticationRequiredError
    record_proof(asking.session_id, proven_at)
    db.session.commit()
    _audit("social_confirm", identity, asking.user_id)


def identities(user_id: int) -> list[IdentityInfo]:
    """The external identities of a person's account, the first one first."""
    own = select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)
    return [
        IdentityInfo(row.id, row.provider, row.email, row.created_at, _is_usable(row))
        for row in db.session.scalars(own)
    ]


def named_account(identity: ExternalIdentity) -> NamedAccount | None:
    """The account that holds an identity's e-mail, which the page offers to connect, or None."""
    holder = _holder(identity.email)
    db.session.rollback()
    if holder is None:
        return None
    can_decline = identity.email_proven and holder.email_verified_at is None
    return NamedAccount(holder.id, can_decline and settings().registration == "open")


def take_email(identity: ExternalIdentity, holder_id: int) -> Visit:
    """Create an account with an e-mail that its owner has proven and its holder has not.

    The holder's account keeps its username and password, and loses the e-mail.

    Args:
        identity: who has proven the e-mail.
        holder_id: the account that the person declined.

    Raises:
        ConnectNeededError: the e-mail is another account's by now, or proven by its holder, or the
            identity's owner has not proven it.
        IdentityTakenError: the identity has an account already.

    """
    refuse_if_closed()

    def take() -> None:
        user = lock_user(holder_id) if identity.email_proven else None
        unproven = user is not None and user.email_verified_at is None
        if user is None or not unproven or user.email_key != lookup_key(identity.email or ""):
            db.session.rollback()
            raise ConnectNeededError
        user.email = user.email_key = None
        user.auth_epoch += 1
        db.session.flush()

    if _find(identity) is not None:
        db.session.rollback()
        raise IdentityTakenError
    visit = _create(identity, before=take)
    _audit("email_taken", identity, holder_id)
    return visit


def is_first_visit(user_id: int) -> bool:
    """Tell whether the person may still choose the username of an account that was created."""
    until = db.session.scalar(select(User.first_visit_until).where(User.id == user_id))
    return until is not None and until > utcnow()


def complete_first_visit(asking: Asking, username: str, email: str | None = None) -> Profile:
    """Give a created account, once, the username and the missing e-mail that its owner chooses.

    The fields obey the field rules already. The e-mail is not proven.

    Raises:
        NotFoundError: the first visit is over.
        UsernameTakenError, EmailTakenError: another account has it.

    """
    lock_user(asking.user_id)
    values: dict[str, object] = {
        "username": username, "username_key": lookup_key(username), "first_visit_until": None
    }  # fmt: skip
    open_until = [User.id == asking.user_id, User.first_visit_until > utcnow()]
    if email is not None:
        values |= {"email": email, "email_key": lookup_key(email)}
        values |= {"auth_epoch": User.auth_epoch + 1}
        open_until.append(User.email.is_(None))
    with flush_unique(username, email, own_id=asking.user_id):
        chosen = updated_one(
            update(User).where(*open_until, exists().where(*_alive(asking))).values(**values)
        )
    if not chosen:
        db.session.rollback()
        raise NotFoundError
    db.session.commit()
    _log.info("profile", extra={"user_id": asking.user_id, "outcome": "success"})
    return users.profile(asking.user_id)


def issue_code(visit: Visit, challenge: str) -> str:
    """Make a one-time code for the front end that knows the verifier of this S256 challenge.

    Raises:
        StaleSignInError: the account has changed since the visit.

    """
    user = lock_user(visit.user_id)
    if user is None or user.auth_epoch != visit.epoch:
        db.session.rollback()
        raise StaleSignInError("the account changed")
    code = one_time.issue(
        one_time.LOGIN_CODE,
        visit.user_id,
        CODE_SECONDS,
        epoch=visit.epoch,
        subject=str(visit.identity_id),
        challenge=challenge,
    )
    db.session.commit()
    return code


def redeem_code(code: str, verifier: str, origin: Origin) -> Grant:
    """Open a session for the person of a one-time code, which is used up by any answer.

    Raises:
        UnknownCodeError: the code is unknown or used.
        InvalidGrantError: it is expired, the verifier is another one, or the account or its
            identity has changed since.

    """
    try:
        consumed = one_time.consume(one_time.LOGIN_CODE, code)
    except UnknownCodeError:
        _log.warning("social_code", extra={"user_id": None, "outcome": "refused"})
        raise
    if consumed is None or not hmac.compare_digest(consumed.challenge or "", s256(verifier)):
        _log.warning(
            "social_code", extra={"user_id": consumed and consumed.user_id, "outcome": "refused"}
        )
        raise InvalidGrantError
    try:
        return sessions.open_session(
            consumed.user_id,
            consumed.epoch or 0,
            origin,
            (sessions.FEDERATED,),
            identity_id=int(consumed.subject),
        )
    except SessionRefusedError:
        raise InvalidGrantError from None


def s256(verifier: str) -> str:
    """The challenge of a verifier (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _visit(identity: ExternalIdentity) -> Visit:
    found = _find(identity)
    if found is not None:
        return _returned(identity, *found)
    holder = _holder(identity.email)
    if holder is None:
        return _create(identity)
    return _join(identity, holder.id)


def _returned(identity: ExternalIdentity, row: Identity, user: User) -> Visit:
    _refuse_disabled(identity, user)
    if row.email != identity.email:
        row.email = identity.email
    db.session.commit()
    _audit("social_login", identity, user.id)
    return Visit(user.id, user.auth_epoch, row.id)


def _create(identity: ExternalIdentity, before: Callable[[], None] | None = None) -> Visit:
    """Create an account under the first username that is free.

    Args:
        identity: whom it is for.
        before: what else the same transaction does first.

    """
    refuse_if_closed()
    for username in islice(_usernames(identity), _TRIES):
        if before is not None:
            before()
        now = utcnow()
        user = User(
            username=username,
            username_key=lookup_key(username),
            email=identity.email,
            email_key=lookup_key(identity.email) if identity.email else None,
            created_at=now,
            email_verified_at=now if identity.email_proven else None,
            first_visit_until=now + FIRST_VISIT,
        )
        row = _row(user, identity)
        db.session.add(row)
        try:
            commit_unique()
        except UsernameTakenError:
            continue
        _audit("social_register", identity, user.id)
        return Visit(user.id, user.auth_epoch, row.id, created=True)
    raise UsernameTakenError


def _join(identity: ExternalIdentity, user_id: int) -> Visit:
    """Connect an identity to the account of its e-mail, if that is proven on both sides."""
    user = lock_user(user_id)
    if user is None or user.email_key != lookup_key(identity.email or ""):
        db.session.rollback()
        raise EmailTakenError  # the account changed just now: look again
    if _find(identity) is not None:
        db.session.rollback()
        raise IdentityTakenError  # a parallel visit was first: look again
    if not _may_join(identity, user):
        db.session.rollback()
        _audit("social_join", identity, user_id, "refused")
        raise ConnectNeededError
    _refuse_disabled(identity, user)
    proven_at = user.email_verified_at
    password_removed = False
    ended = sessions.Ended(0, [])
    # Before the e-mail was proven anybody may have made the account, and have left a password, a
    # session or an identity in it for the time when the e-mail's owner comes.
    if user.created_at is None or proven_at is None or user.created_at < proven_at:
        password_removed = user.password is not None
        user.password = None
        earlier = (Identity.user_id == user.id) & (Identity.created_at < proven_at)
        db.session.flush()
        ended = sessions.end_all(user.id)
        db.session.execute(delete(Identity).where(earlier))
    user.auth_epoch += 1
    row = _row(user, identity)
    db.session.add(row)
    commit_unique()
    sessions.tell_worker(ended)
    _audit("social_join", identity, user.id)
    return Visit(user.id, user.auth_epoch, row.id, password_removed=password_removed)


def _may_join(identity: ExternalIdentity, user: User) -> bool:
    if not identity.email_proven or user.email_verified_at is None:
        return False
    other = select(Identity.id).where(
        Identity.user_id == user.id, Identity.issuer == identity.issuer
    )
    return db.session.scalar(other.limit(1)) is None


def _confirmed(asking: Asking, epoch: int) -> User:
    """Lock the account of a session in which the person confirmed a change."""
    user = lock_user(asking.user_id)
    alive = db.session.scalar(select(Session.id).where(*_alive(asking)).with_for_update(read=True))
    if user is None or user.auth_epoch != epoch or alive is None:
        db.session.rollback()
        raise StaleSignInError("the account changed")
    return user


def _alive(asking: Asking) -> list[ColumnElement[bool]]:
    return [
        Session.id == asking.session_id,
        Session.user_id == asking.user_id,
        Session.revoked_at.is_(None),
    ]


def _find(identity: ExternalIdentity) -> tuple[Identity, User] | None:
    one = (Identity.issuer == identity.issuer) & (Identity.subject == identity.subject)
    found = db.session.execute(select(Identity, User).join(User).where(one)).one_or_none()
    return (found.Identity, found.User) if found else None


def _holder(email: str | None) -> User | None:
    """The account of this e-mail, or None."""
    if email is None:
        return None
    one = select(User).where(User.email_key == lookup_key(email))
    return db.session.scalars(one).one_or_none()


def _row(user: User, identity: ExternalIdentity) -> Identity:
    return Identity(
        user=user,
        provider=identity.provider,
        issuer=identity.issuer,
        subject=identity.subject,
        email=identity.email,
        created_at=utcnow(),
    )


def _is_usable(row: Identity) -> bool:
    return settings().issuers.get(row.provider) == row.issuer


def _refuse_disabled(identity: ExternalIdentity, user: User) -> None:
    if user.disabled_at is not None:
        db.session.rollback()
        _audit("social_login", identity, user.id, "refused")
        raise DisabledError


def _usernames(identity: ExternalIdentity) -> Iterator[str]:
    """Usernames that fit the person, without end."""
    email_name = (identity.email or "").partition("@")[0]
    base = _slug(identity.name or "") or _slug(email_name) or "user"
    yield base
    for number in range(2, 6):
        yield f"{base}{number}"
    while True:
        yield f"{base}-{secrets.randbelow(1_000_000):06}"


def _slug(text: str) -> str:
    """The letters and digits of a name that a username may have, words joined by dots."""
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode("ascii")
    slug = ".".join(re.findall(r"[a-z0-9]+", plain.lower()))[:_BASE_LENGTH].rstrip(".")
    return f"{slug}.user" if 0 < len(slug) < 3 else slug  # noqa: PLR2004 - the field rule's least


def _audit(event: str, identity: ExternalIdentity, user_id: int, outcome: str = "success") -> None:
    level = logging.INFO if outcome == "success" else logging.WARNING
    facts = {"user_id": user_id, "provider": identity.provider, "outcome": outcome}
    _log.log(level, event, extra=facts)
