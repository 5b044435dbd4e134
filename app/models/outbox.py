"""Mails that wait to be sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import TABLE_OPTIONS, Base


class Outbox(Base):
    """A mail to be sent. Its link and code are derived from the proof when it is written."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Number of the mail")
    kind: Mapped[str] = mapped_column(String(32), comment="Which mail it is")
    proof_id: Mapped[int] = mapped_column(
        ForeignKey("one_time.id", ondelete="CASCADE"),
        comment="Proof that it carries, which names account and address",
    )
    detail: Mapped[str] = mapped_column(
        String(80),
        server_default=text("''"),
        comment="What the mail is about, such as the name of a provider",
    )
    language: Mapped[str | None] = mapped_column(
        String(8), comment="Language of the request that caused it, or NULL"
    )
    created_at: Mapped[datetime] = mapped_column(DateTime, comment="Asked for at, UTC")
    due_at: Mapped[datetime] = mapped_column(DateTime, comment="To be sent from then on, UTC")
    claimed_until: Mapped[datetime | None] = mapped_column(
        DateTime, comment="A process is sending it, at most until then, UTC; NULL: none is"
    )
    tries: Mapped[int] = mapped_column(
        default=0, server_default=text("0"), comment="How often sending it has failed"
    )
    error: Mapped[str] = mapped_column(
        String(80), server_default=text("''"), comment="Why the last try failed"
    )

    __table_args__ = (
        Index("ix_outbox_proof_id", "proof_id"),
        Index("ix_outbox_due_at", "due_at"),
        {"comment": "Mails that wait to be sent; a sent one is deleted", **TABLE_OPTIONS},
    )
