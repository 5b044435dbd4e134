"""External identities of an account: connect, disconnect, use as a proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app import audit
from app.accounts.login_methods import is_usable
from app.accounts.lookup import locked
from app.audit import Event
from app.core import one_time
from app.core.database import lock_user, transaction
from app.core.errors import IdentityTakenError, NotFoundError, ReauthenticationRequiredError
from app.core.unique import flush_unique
from app.extensions import db
from app.mail import outbox
from app.mail.kinds import Kind
from app.models import Identity, Session, User
from app.proof.confirmation import Confirmed, commit_proof, confirm
from app.sessions import ending
from app.sessions.listing import is_alive
from app.sessions.origin import Actor
from app.social.errors import LastWayInError, StaleSignInError
from app.social.identities import ExternalIdentity, SignIn, find, label_of, row_for


@dataclass(frozen=True, slots=True)
class IdentityInfo:
    """One external identity, as its owner sees it; `usable`: the settings name its issuer."""

    id: int
    provider: str
    email: str | None
    created_at: datetime
    usable: bool


@transaction()
def connect(actor: Actor, epoch: int, identity: ExternalIdentity) -> SignIn:
    """Let an external identity log in to the account of a person who has confirmed it.

    Args:
        actor: the session in which the person confirmed.
        epoch: the account's `auth_epoch` at that time.
        identity: what the provider vouches for.

    Raises:
        IdentityTakenError: the identity logs in to another account.
        StaleSignInError: the account or the session has changed since.

    """
    user = _confirmed(actor, epoch)
    row = row_for(user, identity)
    db.session.add(row)
    try:
        with flush_unique(None, None):
            db.session.flush()
    except IdentityTakenError:
        found = find(identity)
        db.session.rollback()
        if found is None or found[1].id != actor.user_id:
            audit.record(
                Event.IDENTITY_REFUSED,
                user_id=actor.user_id,
                provider=identity.provider,
                error=IdentityTakenError.code,
            )
            raise
        return SignIn(actor.user_id, epoch, found[0].id)
    detail = label_of(identity.provider)
    outbox.notify(user, Kind.IDENTITY_CONNECTED, actor.client, detail=detail)
    db.session.commit()
    audit.record(Event.IDENTITY_CONNECTED, user_id=actor.user_id, provider=identity.provider)
    return SignIn(actor.user_id, epoch, row.id)


def disconnect(actor: Actor, identity_id: int, password: str | None) -> str:
    """Stop an external identity from logging in, end what it opened, and return its provider.

    Raises:
        NotFoundError: the person has no such identity.
        LastWayInError: the account would have no login method left.
        WrongPasswordError, ReauthenticationRequiredError: the person did not confirm the change.
        TokenRevokedError: the session that asks has ended.

    """
    return _disconnect(actor, confirm(actor, password, recent_suffices=True), identity_id)


@transaction()
def _disconnect(actor: Actor, confirmed: Confirmed, identity_id: int) -> str:
    confirmed.apply(auth_epoch=confirmed.epoch)  # its row is locked from here on
    own = select(Identity).where(Identity.user_id == actor.user_id)
    found = {identity.id: identity for identity in db.session.scalars(own.with_for_update())}
    leaving = found.pop(identity_id, None)
    if leaving is None:
        db.session.rollback()
        raise NotFoundError
    if confirmed.password is None and not any(map(is_usable, found.values())):
        db.session.rollback()
        audit.record(
            Event.IDENTITY_REFUSED,
            user_id=actor.user_id,
            provider=leaving.provider,
            error=LastWayInError.code,
        )
        raise LastWayInError
    db.session.delete(leaving)
    db.session.flush()
    one_time.revoke(one_time.LOGIN_CODE, actor.user_id, subject=str(identity_id))
    ended = ending.end_of_identity(actor.user_id, identity_id)
    user, detail = locked(actor.user_id), label_of(leaving.provider)
    outbox.notify(user, Kind.IDENTITY_DISCONNECTED, actor.client, detail=detail)
    db.session.commit()
    ending.update_revocation_list(ended)
    audit.record(Event.IDENTITY_DISCONNECTED, user_id=actor.user_id, provider=leaving.provider)
    return leaving.provider


def reauthenticate(actor: Actor, identity: ExternalIdentity, proven_at: datetime | None) -> None:
    """Count a provider login as proof that the person of a session is the owner.

    Raises:
        StaleSignInError: the identity does not log in to this account.
        ReauthenticationRequiredError: the provider did not ask the person.
        TokenRevokedError: the session has ended.

    """
    found = find(identity)
    db.session.rollback()
    if found is None or found[1].id != actor.user_id:
        raise StaleSignInError("another person")
    if proven_at is None:
        audit.record(
            Event.IDENTITY_REFUSED,
            user_id=actor.user_id,
            provider=identity.provider,
            error=ReauthenticationRequiredError.code,
        )
        raise ReauthenticationRequiredError
    commit_proof(actor.session_id, proven_at)
    audit.record(
        Event.IDENTITY_CONFIRMED,
        user_id=actor.user_id,
        session_id=actor.session_id,
        provider=identity.provider,
    )


def identities(user_id: int) -> list[IdentityInfo]:
    """The external identities of a person's account, the first one first."""
    own = select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)
    return [
        IdentityInfo(row.id, row.provider, row.email, row.created_at, is_usable(row))
        for row in db.session.scalars(own)
    ]


def _confirmed(actor: Actor, epoch: int) -> User:
    """Lock and return the account of a session in which the person confirmed a change."""
    user = lock_user(actor.user_id)
    alive = db.session.scalar(select(Session.id).where(*is_alive(actor)).with_for_update(read=True))
    if user is None or user.auth_epoch != epoch or alive is None:
        db.session.rollback()
        raise StaleSignInError("the account changed")
    return user
