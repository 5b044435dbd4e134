"""Leases of jobs that one process at a time runs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import TABLE_OPTIONS, Base


class Lease(Base):
    """The lease of a job that one process at a time runs."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(32), primary_key=True, comment="The job")
    holder: Mapped[str] = mapped_column(String(64), comment="The process that does it")
    expires_at: Mapped[datetime] = mapped_column(DateTime, comment="Held until, UTC")

    __table_args__ = (
        {
            "comment": "Jobs that one process at a time does, such as deleting expired rows",
            **TABLE_OPTIONS,
        },
    )
