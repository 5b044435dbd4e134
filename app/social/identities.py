"""External identities and the rows that keep them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from app.config import settings
from app.extensions import db
from app.models import Identity, User, utcnow


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """A person that a provider vouches for.

    Attributes:
        provider: google, facebook or oidc.
        issuer: `iss` of OpenID Connect Core §2.
        subject: `sub` of OpenID Connect Core §2, which never changes.
        email: an e-mail that obeys the field rules, or None.
        email_proven: the provider has verified the e-mail and is authoritative for its domain.
        name: the person's name at the provider, or None.

    """

    provider: str
    issuer: str
    subject: str
    email: str | None
    email_proven: bool
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """The account that an external identity opens.

    Attributes:
        user_id: the account.
        epoch: its `auth_epoch`.
        identity_id: the identity's row.
        created: this login created the account.
        password_removed: the identity joined an account whose earlier password was removed.

    """

    user_id: int
    epoch: int
    identity_id: int
    created: bool = False
    password_removed: bool = False


@dataclass(frozen=True, slots=True)
class EmailHolder:
    """The account that has the e-mail of an external identity.

    Attributes:
        user_id: the account.
        can_decline: the person may create another account, since the holder never proved the
            e-mail.

    """

    user_id: int
    can_decline: bool


def find(identity: ExternalIdentity) -> tuple[Identity, User] | None:
    """The row of an external identity and the account that it opens, or None."""
    one = (Identity.issuer == identity.issuer) & (Identity.subject == identity.subject)
    found = db.session.execute(select(Identity, User).join(User).where(one)).one_or_none()
    return (found.Identity, found.User) if found else None


def row_for(user: User, identity: ExternalIdentity) -> Identity:
    """A row that connects an external identity to an account, not yet in a transaction."""
    return Identity(
        user=user,
        provider=identity.provider,
        issuer=identity.issuer,
        subject=identity.subject,
        email=identity.email,
        created_at=utcnow(),
    )


def label_of(provider: str) -> str:
    """What people call a provider."""
    return settings().providers.get(provider, provider)
