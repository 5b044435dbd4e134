"""Accounts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import TABLE_OPTIONS, Base


class User(Base):
    """An account. The first four columns are those of the assignment."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Number of the account, never reused")
    username: Mapped[str] = mapped_column(String(80), comment="Name as the person wrote it")
    email: Mapped[str | None] = mapped_column(
        String(120), comment="E-mail as the person wrote it, or NULL"
    )
    password: Mapped[str | None] = mapped_column(
        String(200), comment="bcrypt hash, or NULL where there is no password"
    )
    username_key: Mapped[str] = mapped_column(
        String(255), comment="username without regard to case: decides uniqueness"
    )
    email_key: Mapped[str | None] = mapped_column(
        String(255),
        comment="email without regard to case: decides uniqueness; NULL: no login by it",
    )
    created_at: Mapped[datetime | None] = mapped_column(
        DateTime, comment="Registered at, UTC; NULL: before this column existed"
    )
    disabled_at: Mapped[datetime | None] = mapped_column(
        DateTime, comment="Shut out since, UTC; NULL: may log in"
    )
    email_verified_at: Mapped[datetime | None] = mapped_column(
        DateTime, comment="E-mail proven to be the owner's at, UTC; NULL: not proven"
    )
    auth_epoch: Mapped[int] = mapped_column(
        default=0,
        server_default=text("0"),
        comment="Raised by every change of password, e-mail or login method",
    )
    first_visit_until: Mapped[datetime | None] = mapped_column(
        DateTime,
        comment="Until then username and missing e-mail may be chosen once, UTC; NULL: chosen",
    )
    language: Mapped[str | None] = mapped_column(
        String(8), comment="Language of pages and mails, such as id; NULL: as the browser asks"
    )

    pending_email: Mapped[str | None] = mapped_column(
        String(120), comment="E-mail that counts once it is proven, or NULL"
    )
    must_verify_email: Mapped[bool] = mapped_column(
        default=False,
        server_default=text("0"),
        comment="Made under EMAIL_VERIFICATION=required: no login by password before the proof",
    )

    __table_args__ = (
        UniqueConstraint("username_key"),
        UniqueConstraint("email_key"),
        {"comment": "Accounts: one row for each person", **TABLE_OPTIONS},
    )
