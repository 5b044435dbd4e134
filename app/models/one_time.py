"""One-time secrets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import TABLE_OPTIONS, Base


class OneTime(Base):
    """A one-time secret: the login code of a front end, or a proof by mail."""

    __tablename__ = "one_time"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Number of the secret")
    purpose: Mapped[str] = mapped_column(String(32), comment="What the secret is good for")
    secret_hash: Mapped[str] = mapped_column(
        String(64), unique=True, comment="HMAC-SHA-256 of the secret, which itself is not kept"
    )
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), comment="Account that it is for"
    )
    subject: Mapped[str] = mapped_column(
        String(255),
        server_default=text("''"),
        comment="The exact e-mail or credential that it is about",
    )
    epoch: Mapped[int | None] = mapped_column(
        comment="user.auth_epoch at its making: good for no other; NULL: for any"
    )
    challenge: Mapped[str | None] = mapped_column(
        String(43), comment="S256 of the verifier that must come with it (RFC 7636), or NULL"
    )
    salt: Mapped[str | None] = mapped_column(
        String(43), comment="What link and code of a mail are derived from; NULL: not mailed"
    )
    subject_key: Mapped[str | None] = mapped_column(
        String(255), comment="E-mail that it is about, without regard to case; NULL: none"
    )
    tries: Mapped[int] = mapped_column(
        default=0, server_default=text("0"), comment="How often its code was tried"
    )
    address: Mapped[str] = mapped_column(
        String(45), server_default=text("''"), comment="Client address that asked for it"
    )
    user_agent: Mapped[str] = mapped_column(
        String(255), server_default=text("''"), comment="Client program that asked for it"
    )
    created_at: Mapped[datetime] = mapped_column(DateTime, comment="Made at, UTC")
    expires_at: Mapped[datetime] = mapped_column(DateTime, comment="Good until, UTC")

    __table_args__ = (
        Index("ix_one_time_user_id", "user_id"),
        Index("ix_one_time_expires_at", "expires_at"),
        Index("ix_one_time_subject_key", "subject_key", "purpose"),
        {
            "comment": "Secrets that count once: codes, later mailed proofs and second steps",
            **TABLE_OPTIONS,
        },
    )
