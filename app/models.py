"""The tables. Migrations own them; a test holds the two equal."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from sqlalchemy import DateTime, ForeignKey, Index, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# Bytes decide, on MySQL as on SQLite, and the name exists on MariaDB too.
TABLE_OPTIONS = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
    # A number is never given twice, so that a token of a deleted account stays nobody's.
    "sqlite_autoincrement": True,
}


class Base(DeclarativeBase):
    """What every table has in common: the names of its constraints."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
        }
    )


# NFC makes one character of four at most, and a password has 72 bytes at most.
_MOST_COMPOSED = 4 * 72


def utcnow() -> datetime:
    """The time now in UTC, in whole seconds and without a zone, as every table keeps it."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)


def composed(text: str) -> str:
    """The one spelling (NFC) of a name or password that keyboards write differently.

    Putting accents in order takes the square of their number: what is longer than any name or
    password stays as it is.
    """
    return unicodedata.normalize("NFC", text) if len(text) <= _MOST_COMPOSED else text


def lookup_key(text: str) -> str:
    """The form of a username or e-mail in which two spellings of one name are equal."""
    return composed(text).casefold()


class User(Base):
    """A person's account. The first four columns are the assignment's."""

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

    __table_args__ = (
        UniqueConstraint("username_key"),
        UniqueConstraint("email_key"),
        {"comment": "Accounts: one row for each person", **TABLE_OPTIONS},
    )


class Session(Base):
    """One login on one device: its refresh tokens count up, nothing token-like is kept."""

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
        # All that the revocation list asks for, in the order in which it asks.
        Index("ix_session_live", "access_expires_at", "revoked_at", "user_id"),
        {"comment": "Logins: one row for each, ended by revoked_at", **TABLE_OPTIONS},
    )


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


class OneTime(Base):
    """A secret that counts once: a login code for a front end, later mailed proofs."""

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
    created_at: Mapped[datetime] = mapped_column(DateTime, comment="Made at, UTC")
    expires_at: Mapped[datetime] = mapped_column(DateTime, comment="Good until, UTC")

    __table_args__ = (
        Index("ix_one_time_user_id", "user_id"),
        Index("ix_one_time_expires_at", "expires_at"),
        {
            "comment": "Secrets that count once: codes, later mailed proofs and second steps",
            **TABLE_OPTIONS,
        },
    )


class Counter(Base):
    """How often something happened lately, for the limits."""

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


class Lease(Base):
    """A job that one process at a time does."""

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
