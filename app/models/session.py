"""Sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import TABLE_OPTIONS, Base


class Session(Base):
    """One login on one device. Only the rotation number of its refresh token is stored."""

    __tablename__ = "session"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Number of the login (claim sid)")
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="SET NULL"), comment="Whose; NULL: the account is gone"
    )
    created_at: Mapped[datetime] = mapped_column(DateTime, comment="Logged in at, UTC")
    last_used_at: Mapped[datetime] = mapped_column(DateTime, comment="Last login or refresh, UTC")
    rotation: Mapped[int] = mapped_column(comment="Which refresh token is current, from 0")
    rotated_at: Mapped[datetime] = mapped_column(
        DateTime, comment="When the current refresh token was made, UTC"
    )
    expires_at: Mapped[datetime] = mapped_column(
        DateTime, comment="When the current refresh token ends, UTC"
    )
    access_expires_at: Mapped[datetime] = mapped_column(
        DateTime, comment="When the last access token made here ends, UTC"
    )
    revoked_at: Mapped[datetime | None] = mapped_column(
        DateTime, comment="Ended at, UTC; NULL: alive. Set it to end the login"
    )
    address: Mapped[str] = mapped_column(String(45), comment="Client address at login")
    user_agent: Mapped[str] = mapped_column(String(255), comment="Client program at login")
    network: Mapped[str] = mapped_column(
        String(45),
        server_default=text("''"),
        comment="Client network at login: the IPv4 address or the IPv6 /64",
    )
    last_address: Mapped[str] = mapped_column(
        String(45),
        server_default=text("''"),
        comment="Client address of the last login or rotation",
    )
    methods: Mapped[str] = mapped_column(
        String(64),
        server_default=text("''"),
        comment="How the person logged in: pwd (password), fed (external identity)",
    )
    identity_id: Mapped[int | None] = mapped_column(
        comment="External identity that opened it; NULL: a password"
    )
    proven_at: Mapped[datetime | None] = mapped_column(
        DateTime, comment="When the person last proved to be the owner in this session, UTC"
    )

    __table_args__ = (
        Index("ix_session_owner", "user_id", "revoked_at"),
        # Covers the queries of the revocation list.
        Index("ix_session_live", "access_expires_at", "revoked_at", "user_id"),
        {"comment": "Logins: one row for each, ended by revoked_at", **TABLE_OPTIONS},
    )
