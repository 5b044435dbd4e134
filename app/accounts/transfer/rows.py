"""A row of another program, and the account that the rules make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.accounts.email_rule import normalized
from app.accounts.username_rule import MAX_USERNAME, MIN_USERNAME, is_username
from app.config import settings
from app.models import utcnow
from app.passwords import schemes
from app.passwords.schemes import StoredHash
from app.text import with_key

USERNAME, EMAIL, PASSWORD = "username", "email", "password"
REQUIRED = (USERNAME, EMAIL, PASSWORD)
OPTIONAL = ("created_at", "email_verified_at", "disabled_at", "active")
# How Django marks an account without a password; others leave the field empty.
_UNUSABLE = "!"
# What programs write of whether an account may be used. The last is a bit of MySQL.
_YES = {"", "1", "true", "t", "yes", "y", "\x01"}
_NO = {"0", "false", "f", "no", "n", "\x00"}


@dataclass(frozen=True, slots=True)
class Options:
    """How rows are imported.

    Attributes:
        write: import; else only tell what would happen.
        emails_proven: the operator vouches for the e-mails: for those that have an
            `email_verified_at`, or for all where the rows have no such field.
        email_domain: what a row without an e-mail gets behind its username and @; empty: such a
            row is refused.
        usernames_from_emails: usernames are made of e-mails, as a login with Google makes them.

    """

    write: bool = False
    emails_proven: bool = False
    email_domain: str = ""
    usernames_from_emails: bool = False

    def required(self) -> set[str]:
        """The fields that rows must have."""
        given = {USERNAME: self.usernames_from_emails, EMAIL: bool(self.email_domain)}
        return {name for name in REQUIRED if not given.get(name)}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of another program.

    Attributes:
        number: its line, or which row of a table it is.
        fields: texts by the names of `REQUIRED` and `OPTIONAL`.
        fault: why it could not be read, if it could not.

    """

    number: int
    fields: Mapping[str, str]
    fault: str = ""


@dataclass(slots=True)
class NewAccount:
    """The account of a row. The username is empty until one is made of the e-mail."""

    number: int
    username: str
    email: str
    hash: StoredHash | None
    more: dict[str, Any]

    def values(self) -> dict[str, Any]:
        """The columns to insert."""
        names = with_key("username", self.username) | with_key("email", self.email)
        return names | {"password": self.hash.text if self.hash else None} | self.more


class RefusedRowError(Exception):
    """A row cannot be imported; the message says why, and holds no hash."""


def checked(row: Row, options: Options) -> NewAccount:
    """Return the account of a row, by the rules of registration.

    Raises:
        RefusedRowError: the row breaks one of them, or its hash cannot be imported.

    """
    if row.fault:
        raise RefusedRowError(row.fault)
    username = "" if options.usernames_from_emails else _username(row)
    email = row.fields.get(EMAIL, "").strip()
    created_at = _moment(row, "created_at") or utcnow()
    proven_at = _moment(row, "email_verified_at")
    if not options.emails_proven or not email:
        proven_at = None
    elif "email_verified_at" not in row.fields:
        proven_at = created_at
    more = {
        "created_at": created_at,
        "email_verified_at": proven_at,
        "disabled_at": _moment(row, "disabled_at") or (None if _is_active(row) else utcnow()),
        "must_verify_email": proven_at is None and settings().email_verification == "required",
    }
    if not email and username and options.email_domain:
        email = f"{username}@{options.email_domain}"
    return NewAccount(row.number, username, _email(email), _hash(row), more)


def _is_active(row: Row) -> bool:
    text = row.fields.get("active", "").strip(" ").lower()
    if text not in _YES | _NO:
        raise RefusedRowError("active: that is neither yes nor no")
    return text in _YES


def _username(row: Row) -> str:
    username = row.fields.get(USERNAME, "").strip()
    if not is_username(username):
        raise RefusedRowError(
            f"username: it needs {MIN_USERNAME} to {MAX_USERNAME} letters, digits, dots, "
            "underscores or hyphens, with a letter or digit at both ends"
        )
    return username


def _email(text: str) -> str:
    if not text:
        raise RefusedRowError("email: there is none")
    try:
        return normalized(text)
    except UnicodeError:
        raise RefusedRowError("email: it is not in UTF-8") from None
    except ValueError as error:
        raise RefusedRowError(f"email: {error}") from None


def _hash(row: Row) -> StoredHash | None:
    text = row.fields.get(PASSWORD, "").strip()
    if not text or text.startswith(_UNUSABLE):
        return None
    text = text.removeprefix("bcrypt$")  # Django's BCryptPasswordHasher: the rest is bcrypt's own
    reason = schemes.refusal(text, settings().bcrypt_log_rounds)
    if reason:
        raise RefusedRowError(f"password: {reason}")
    return schemes.recognise(text)


def _moment(row: Row, name: str) -> datetime | None:
    """A time in UTC, without a zone; None: there is none."""
    text = row.fields.get(name, "").strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise RefusedRowError(f"{name}: that is no time such as 2026-11-27T05:00:00Z") from None
    return moment.replace(microsecond=0)
