"""Signing in with an outside identity: who that is here, and which identity opens which account.

The key is (provider, subject), never the e-mail: an e-mail can pass to somebody else. An e-mail
only helps a first visit to find its account, and only where both sides have proven it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import cast

from sqlalchemy import CursorResult, delete, select

from app.accounts import sessions, users
from app.accounts.errors import (
    ConnectNeededError,
    DisabledError,
    EmailTakenError,
    IdentityTakenError,
    InvalidGrantError,
    LastWayInError,
    NotFoundError,
    UsernameTakenError,
)
from app.accounts.registration import commit_unique
from app.accounts.sessions import Grant, Origin
from app.accounts.users import Profile
from app.config import settings
from app.extensions import db
from app.models import Identity, SocialCode, User, lookup_key, utcnow

CODE_SECONDS = 60
# What of a name goes into a username, which may be longer.
_BASE_LENGTH = 64
_TRIES = 12

_log = logging.getLogger("loguserapp.audit")


@dataclass(frozen=True, slots=True)
class Outsider:
    """A person as a provider vouches for.

    Attributes:
        provider: google, facebook or oidc.
        subject: who it is there, for ever.
        email: an e-mail that obeys the field rules, or None.
        email_verified: whether the provider says that it is the person's own.
        name: what the person is called there, or None.

    """

    provider: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Who an outside identity is here.

    Attributes:
        user_id: the account that it opens.
        made: the account was made just now.
        password_removed: the identity joined an account whose earlier password died of that.

    """

    user_id: int
    made: bool = False
    password_removed: bool = False


@dataclass(frozen=True, slots=True)
class IdentityInfo:
    """One outside identity, as its owner sees it in the own list; the time is UTC."""

    id: int
    provider: str
    email: str | None
    created_at: datetime


def visit(outsider: Outsider) -> Visit:
    """Find the account that an outside identity opens; at a first visit join or make one.

    Raises:
        ConnectNeededError: the e-mail has an account, and it is not proven on both sides.
        DisabledError: the account is shut out.

    """
    try:
        return _visit(outsider)
    except (EmailTakenError, IdentityTakenError):  # someone was faster: now it is there to find
        return _visit(outsider)


def connect(user_id: int, outsider: Outsider) -> None:
    """Let an outside identity open the account of a person who is signed in to it.

    Raises:
        IdentityTakenError: it opens another account.

    """
    db.session.add(_identity(users.get(user_id), outsider))
    try:
        commit_unique()
    except IdentityTakenError:
        found = _find(outsider)
        db.session.rollback()
        if found is None or found[1].id != user_id:
            _audit("social_connect", outsider, user_id, "refused")
            raise
    _audit("social_connect", outsider, user_id)


def disconnect(user_id: int, identity_id: int) -> None:
    """Let an outside identity open the account no more.

    Raises:
        NotFoundError: the person has no such identity.
        LastWayInError: nobody could sign in to the account any more.

    """
    # The account's row is locked, so that two identities cannot leave at once, each for the
    # sake of the other.
    user = db.session.scalars(select(User).where(User.id == user_id).with_for_update()).one()
    own = select(Identity).where(Identity.user_id == user_id).with_for_update()
    found = {identity.id: identity for identity in db.session.scalars(own)}
    leaving = found.pop(identity_id, None)
    if leaving is None:
        db.session.rollback()
        raise NotFoundError
    facts = {"user_id": user_id, "provider": leaving.provider}
    staying = [identity for identity in found.values() if identity.provider in settings().providers]
    if user.password is None and not staying:
        db.session.rollback()
        _log.warning("social_disconnect", extra=facts | {"outcome": "refused"})
        raise LastWayInError
    db.session.delete(leaving)
    db.session.commit()
    _log.info("social_disconnect", extra=facts | {"outcome": "success"})


def identities(user_id: int) -> list[IdentityInfo]:
    """The outside identities that open a person's account, the first one first."""
    own = select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)
    return [
        IdentityInfo(row.id, row.provider, row.email, row.created_at)
        for row in db.session.scalars(own)
    ]


def settle(user_id: int, username: str, email: str | None = None) -> Profile:
    """Give an account made at a first visit the name, and where it has none the e-mail, it wants.

    The fields obey the field rules already. The e-mail is not proven.

    Raises:
        UsernameTakenError, EmailTakenError: someone else has it.

    """
    user = users.get(user_id)
    user.username, user.username_key = username, lookup_key(username)
    if email is not None and user.email is None:
        user.email, user.email_key = email, lookup_key(email)
    commit_unique()
    _log.info("profile", extra={"user_id": user_id, "outcome": "success"})
    return users.profile_of(user)


def issue_code(user_id: int, challenge: str) -> str:
    """Make a one-time code for the front end that knows the verifier of this S256 challenge."""
    code = secrets.token_urlsafe(32)
    expires_at = utcnow() + timedelta(seconds=CODE_SECONDS)
    db.session.add(
        SocialCode(
            code_hash=_hash(code), user_id=user_id, challenge=challenge, expires_at=expires_at
        )
    )
    db.session.commit()
    return code


def redeem_code(code: str, verifier: str, origin: Origin) -> Grant:
    """Open a session for the person of a one-time code; whatever the answer, it is used up.

    Raises:
        InvalidGrantError: it was used, is too old, was made up, or has another verifier.
        DisabledError: the account has been shut out meanwhile.

    """
    found = db.session.get(SocialCode, _hash(code))
    used = db.session.execute(delete(SocialCode).where(SocialCode.code_hash == _hash(code)))
    # The row count decides: of several at once one deletes the row.
    mine = cast("CursorResult[tuple[()]]", used).rowcount == 1
    fits = found is not None and hmac.compare_digest(found.challenge, s256(verifier))
    if found is None or not mine or not fits or found.expires_at <= utcnow():
        db.session.commit()
        _log.warning(
            "social_code", extra={"user_id": found and found.user_id, "outcome": "refused"}
        )
        raise InvalidGrantError
    return sessions.open_for(found.user_id, origin)


def purge() -> None:
    """Delete the codes that nobody came for."""
    db.session.execute(delete(SocialCode).where(SocialCode.expires_at <= utcnow()))
    db.session.commit()


def s256(verifier: str) -> str:
    """The challenge of a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _visit(outsider: Outsider) -> Visit:
    found = _find(outsider)
    if found is not None:
        return _returned(outsider, *found)
    holder = _holder(outsider.email)
    if holder is None:
        return _make(outsider)
    return _join(outsider, holder.id)


def _returned(outsider: Outsider, identity: Identity, user: User) -> Visit:
    _refuse_disabled(outsider, user)
    identity.email = outsider.email
    db.session.commit()
    _audit("social_login", outsider, user.id)
    return Visit(user.id)


def _make(outsider: Outsider) -> Visit:
    """Make an account under the first username that is free."""
    for username in islice(_usernames(outsider), _TRIES):
        now = utcnow()
        user = User(
            username=username,
            username_key=lookup_key(username),
            email=outsider.email,
            email_key=lookup_key(outsider.email) if outsider.email else None,
            created_at=now,
            email_verified_at=now if outsider.email_verified else None,
        )
        db.session.add(_identity(user, outsider))
        try:
            commit_unique()
        except UsernameTakenError:
            continue
        _audit("social_register", outsider, user.id)
        return Visit(user.id, made=True)
    raise UsernameTakenError


def _join(outsider: Outsider, user_id: int) -> Visit:
    """Let the identity open the account that has its e-mail, if that is proven on both sides."""
    locked = select(User).where(User.id == user_id).with_for_update()
    user = db.session.scalars(locked.execution_options(populate_existing=True)).one()
    proven_at = user.email_verified_at
    same = user.email_key == lookup_key(outsider.email or "")
    if not (same and outsider.email_verified and proven_at):
        db.session.rollback()
        _audit("social_join", outsider, user_id, "refused")
        raise ConnectNeededError
    _refuse_disabled(outsider, user)
    ended = []
    password_removed = False
    # Whoever made the account before the e-mail was proven may have been anybody, and waits with
    # a password, a session or an identity for the owner of the e-mail to come.
    if user.created_at is None or user.created_at < proven_at:
        password_removed = user.password is not None
        user.password = None
        ended = [*sessions.end_all(user.id)]
        earlier = (Identity.user_id == user.id) & (Identity.created_at < proven_at)
        db.session.execute(delete(Identity).where(earlier))
        db.session.execute(delete(SocialCode).where(SocialCode.user_id == user.id))
    db.session.add(_identity(user, outsider))
    commit_unique()
    sessions.tell_worker(ended)
    _audit("social_join", outsider, user.id)
    return Visit(user.id, password_removed=password_removed)


def _find(outsider: Outsider) -> tuple[Identity, User] | None:
    one = (Identity.provider == outsider.provider) & (Identity.subject == outsider.subject)
    found = db.session.execute(select(Identity, User).join(User).where(one)).one_or_none()
    return (found.Identity, found.User) if found else None


def _holder(email: str | None) -> User | None:
    """The account of this e-mail, or None."""
    if email is None:
        return None
    one = select(User).where(User.email_key == lookup_key(email))
    return db.session.scalars(one).one_or_none()


def _identity(user: User, outsider: Outsider) -> Identity:
    return Identity(
        user=user,
        provider=outsider.provider,
        subject=outsider.subject,
        email=outsider.email,
        created_at=utcnow(),
    )


def _refuse_disabled(outsider: Outsider, user: User) -> None:
    if user.disabled_at is not None:
        db.session.rollback()
        _audit("social_login", outsider, user.id, "refused")
        raise DisabledError


def _usernames(outsider: Outsider) -> Iterator[str]:
    """Usernames that fit the person, without end."""
    email_name = (outsider.email or "").partition("@")[0]
    base = _slug(outsider.name or "") or _slug(email_name) or "user"
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


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _audit(event: str, outsider: Outsider, user_id: int, outcome: str = "success") -> None:
    level = logging.INFO if outcome == "success" else logging.WARNING
    facts = {"user_id": user_id, "provider": outsider.provider, "outcome": outcome}
    _log.log(level, event, extra=facts)
