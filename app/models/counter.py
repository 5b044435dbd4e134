"""Rate limit counters."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import TABLE_OPTIONS, Base


class Counter(Base):
    """How often something happened in the current window of a rate limit."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(
        String(255), primary_key=True, comment="Which limit, and whose address or account"
    )
    value: Mapped[int] = mapped_column(comment="How often since it began")
    expires_at: Mapped[datetime] = mapped_column(DateTime, comment="Begins anew after this, UTC")

    __table_args__ = (
        Index("ix_counter_expires_at", "expires_at"),
        {"comment": "Limits: how often an address or account did something", **TABLE_OPTIONS},
    )
