"""How the owner of an account can log in, beside the password."""

from __future__ import annotations

from sqlalchemy import select

from app.config import settings
from app.extensions import db
from app.models import Identity


def is_usable(row: Identity) -> bool:
    """Whether the settings name the provider of the identity, under the same issuer."""
    return settings().issuers.get(row.provider) == row.issuer


def providers(user_id: int) -> dict[str, str]:
    """The providers with which the owner of an account can log in: what people call each."""
    own = select(Identity).where(Identity.user_id == user_id).order_by(Identity.id)
    usable = filter(is_usable, db.session.scalars(own))
    return {row.provider: settings().providers[row.provider] for row in usable}
