"""Logging in with an external identity: which account it opens, and which one it may join.

The key is (issuer, subject), never the e-mail: an e-mail can pass to another person. The e-mail
only helps a first login to find its account, if both sides have proven the e-mail and the provider
is authoritative for its domain (docs/decisions/identities.md).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import delete, select

from app import audit
from app.accounts.registration import refuse_if_closed
from app.audit import Event
from app.config import settings
from app.core import proofs
from app.core.client import Client
from app.core.database import lock_user, transaction
from app.core.errors import (
    EmailTakenError,
    IdentityTakenError,
    SessionRefusedError,
    UsernameTakenError,
)
from app.core.unique import commit_unique, flush_unique
from app.extensions import db
from app.mail import outbox
from app.mail.kinds import Kind
from app.models import Identity, User, utcnow
from app.sessions import ending, opening
from app.sessions.opening import Grant
from app.sessions.origin import Origin
from app.social.errors import ConnectNeededError, DisabledError, StaleSignInError
from app.social.identities import (
    EmailHolder,
    ExternalIdentity,
    SignIn,
    find,
    label_of,
    row_for,
)
from app.social.usernames import usernames
from app.text import lookup_key, with_key

# How long the username of an account that a provider login created can be chosen.
FIRST_LOGIN = timedelta(hours=1)
_TRIES = 12


def sign_in(identity: ExternalIdentity, client: Client, language: str | None = None) -> SignIn:
    """Find the account that an external identity opens; at a first login join or create one.

    Args:
        identity: what the provider vouches for.
        client: what the mail that tells of a join says of the request.
        language: in which the person reads pages, for an account that the login creates.

    Raises:
        ConnectNeededError: the e-mail has an account whose owner must confirm first.
        DisabledError: the account is disabled.
        RegistrationClosedError: the login would create an account.

    """
    try:
        return _sign_in(identity, client, language)
    except (EmailTakenError, IdentityTakenError):  # a parallel login was first: find its result
        return _sign_in(identity, client, language)


def open_session(signed_in: SignIn, origin: Origin, proven_at: datetime | None) -> Grant:
    """Open a session for the account of a provider login.

    Raises:
        DisabledError: the account has been disabled meanwhile.
        StaleSignInError: the account changed meanwhile, or the identity was disconnected.

    """
    try:
        return opening.open_session(
            signed_in.user_id,
            signed_in.epoch,
            origin,
            (opening.FEDERATED,),
            proven_at=proven_at,
            identity_id=signed_in.identity_id,
        )
    except SessionRefusedError as refused:
        if refused.disabled:
            raise DisabledError from None
        raise StaleSignInError("the account changed") from None


def email_holder(identity: ExternalIdentity) -> EmailHolder | None:
    """The account that holds an identity's e-mail, which the page offers to connect, or None."""
    holder = _holder(identity.email)
    if holder is None:
        return None
    can_decline = identity.email_proven and holder.email_verified_at is None
    return EmailHolder(holder.id, can_decline and settings().registration == "open")


def take_email(identity: ExternalIdentity, holder_id: int, language: str | None = None) -> SignIn:
    """Create an account with an e-mail that its owner has proven and its holder has not.

    The holder's account keeps its username and password, and loses the e-mail.

    Args:
        identity: the external identity that has proven the e-mail.
        holder_id: the account that the person declined.
        language: in which the person reads pages.

    Raises:
        ConnectNeededError: the e-mail belongs to another account now, or its holder has proven it,
            or the identity has not.
        IdentityTakenError: the identity has an account already.

    """
    refuse_if_closed()

    def take() -> None:
        user = lock_user(holder_id) if identity.email_proven else None
        unproven = user is not None and user.email_verified_at is None
        if user is None or not unproven or user.email_key != lookup_key(identity.email or ""):
            db.session.rollback()
            raise ConnectNeededError
        proofs.release_address(user.id, user.email_key)
        user.email = user.email_key = user.pending_email = None
        user.auth_epoch += 1
        db.session.flush()

    if find(identity) is not None:
        db.session.rollback()
        raise IdentityTakenError
    signed_in = _create(identity, language, before=take)
    audit.record(Event.EMAIL_TRANSFERRED, user_id=holder_id, provider=identity.provider)
    return signed_in


@transaction()
def _sign_in(identity: ExternalIdentity, client: Client, language: str | None) -> SignIn:
    found = find(identity)
    if found is not None:
        return _returned(identity, *found)
    holder = _holder(identity.email)
    if holder is None:
        return _create(identity, language)
    return _join(identity, holder.id, client)


def _returned(identity: ExternalIdentity, row: Identity, user: User) -> SignIn:
    _refuse_disabled(identity, user)
    if row.email != identity.email:
        row.email = identity.email
    db.session.commit()
    audit.record(Event.IDENTITY_AUTHENTICATED, user_id=user.id, provider=identity.provider)
    return SignIn(user.id, user.auth_epoch, row.id)


@transaction()
def _create(
    identity: ExternalIdentity,
    language: str | None,
    before: Callable[[], None] | None = None,
) -> SignIn:
    """Create an account under the first username that is free.

    Args:
        identity: the external identity that opens the account.
        language: in which its owner reads pages.
        before: runs first in the same transaction.

    """
    refuse_if_closed()
    for username in islice(usernames(identity), _TRIES):
        if before is not None:
            before()
        now = utcnow()
        email = identity.email
        if email is not None and proofs.is_reserved(email):
            email = None  # its former account can still take it back
        user = User(
            **with_key("username", username),
            **with_key("email", email),
            created_at=now,
            email_verified_at=now if email is not None and identity.email_proven else None,
            language=language,
            first_visit_until=now + FIRST_LOGIN,
            must_verify_email=settings().email_verification == "required",
        )
        row = row_for(user, identity)
        db.session.add(row)
        try:
            commit_unique(email=email)
        except UsernameTakenError:
            continue
        audit.record(Event.ACCOUNT_REGISTERED, user_id=user.id, provider=identity.provider)
        return SignIn(user.id, user.auth_epoch, row.id, created=True)
    raise UsernameTakenError


def _join(identity: ExternalIdentity, user_id: int, client: Client) -> SignIn:
    """Connect an identity to the account of its e-mail, if that is proven on both sides."""
    user = lock_user(user_id)
    if user is None or user.email_key != lookup_key(identity.email or ""):
        db.session.rollback()
        raise EmailTakenError  # the account has changed: look again
    if find(identity) is not None:
        db.session.rollback()
        raise IdentityTakenError  # a parallel login was first: look again
    if not _may_join(identity, user):
        db.session.rollback()
        audit.record(
            Event.IDENTITY_REFUSED,
            user_id=user_id,
            provider=identity.provider,
            error=ConnectNeededError.code,
        )
        raise ConnectNeededError
    _refuse_disabled(identity, user)
    proven_at = user.email_verified_at
    password_removed = False
    ended = ending.EndedSessions(0, [])
    # Before the e-mail was proven, another person may have created the account and have left a
    # password, a session or an identity in it for later (account pre-hijacking).
    if user.created_at is None or proven_at is None or user.created_at < proven_at:
        password_removed = user.password is not None
        user.password = None
        earlier = (Identity.user_id == user.id) & (Identity.created_at < proven_at)
        db.session.flush()
        ended = ending.end_all(user.id)
        db.session.execute(delete(Identity).where(earlier))
    user.auth_epoch += 1
    user.pending_email = None
    row = row_for(user, identity)
    db.session.add(row)
    with flush_unique(None, None):
        db.session.flush()
    outbox.notify(user, Kind.IDENTITY_CONNECTED, client, detail=label_of(identity.provider))
    db.session.commit()
    ending.update_revocation_list(ended)
    audit.record(Event.IDENTITY_CONNECTED, user_id=user.id, provider=identity.provider)
    if password_removed:
        audit.record(Event.PASSWORD_REMOVED, user_id=user.id, provider=identity.provider)
    return SignIn(user.id, user.auth_epoch, row.id, password_removed=password_removed)


def _may_join(identity: ExternalIdentity, user: User) -> bool:
    if not identity.email_proven or user.email_verified_at is None:
        return False
    other = select(Identity.id).where(
        Identity.user_id == user.id, Identity.issuer == identity.issuer
    )
    return db.session.scalar(other.limit(1)) is None


def _holder(email: str | None) -> User | None:
    """The account of this e-mail, or None."""
    if email is None:
        return None
    one = select(User).where(User.email_key == lookup_key(email))
    return db.session.scalars(one).one_or_none()


def _refuse_disabled(identity: ExternalIdentity, user: User) -> None:
    if user.disabled_at is not None:
        db.session.rollback()
        audit.record(Event.LOGIN_REFUSED, user_id=user.id, provider=identity.provider)
        raise DisabledError
