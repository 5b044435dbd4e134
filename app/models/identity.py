"""External identities."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import TABLE_OPTIONS, Base
from app.models.user import User


class Identity(Base):
    """An external identity, known by issuer and subject, that logs in to an account."""

    __tablename__ = "identity"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Number of the connection")
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), comment="Whose account it opens"
    )
    provider: Mapped[str] = mapped_column(String(16), comment="google, facebook or oidc")
    subject: Mapped[str] = mapped_column(
        String(255), comment="Who it is there: the provider's own number, never the e-mail"
    )
    email: Mapped[str | None] = mapped_column(
        String(255), comment="E-mail as the provider last gave it, or NULL"
    )
    created_at: Mapped[datetime] = mapped_column(DateTime, comment="Connected at, UTC")
    issuer: Mapped[str] = mapped_column(
        String(255),
        server_default=text("''"),
        comment="Who vouches for the person: the provider's issuer (OpenID Connect)",
    )
    user: Mapped[User] = relationship()

    __table_args__ = (
        UniqueConstraint("issuer", "subject", name="uq_identity_issuer"),
        Index("ix_identity_user_id", "user_id"),
        {"comment": "Outside identities: one row for each, opening one account", **TABLE_OPTIONS},
    )
