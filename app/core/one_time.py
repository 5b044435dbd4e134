"""One-time secrets, consumed by a DELETE whose row count decides.

The table stores a keyed hash (HMAC-SHA-256), so that a copy of the table contains nothing that can
be replayed. A secret with an epoch is refused once `user.auth_epoch` has risen.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask
from sqlalchemy import delete, select

from app.core.database import transaction, updated_one
from app.core.errors import UnknownCodeError
from app.extensions import db
from app.models import OneTime, utcnow
from app.services import Service

LOGIN_CODE = "login_code"

_key = Service[bytes]("key of one-time secrets")


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a consumed secret was issued for.

    Attributes:
        user_id: the account that it is for.
        subject: the exact e-mail or credential that it is about.
        epoch: the account's `auth_epoch` at issue; None: not checked.
        challenge: S256 of the verifier that must come with it (RFC 7636), or None.

    """

    user_id: int
    subject: str
    epoch: int | None
    challenge: str | None


def issue(
    purpose: str,
    user_id: int,
    seconds: int,
    *,
    epoch: int | None,
    subject: str = "",
    challenge: str | None = None,
) -> str:
    """Issue a secret in the caller's transaction and return it: 256 bits in base64url.

    Args:
        purpose: what the secret is for; `consume` needs the same purpose.
        user_id: the account that it is for.
        seconds: its lifetime.
        epoch: the account's `auth_epoch`, checked again at its use; None: not checked.
        subject: the exact e-mail or credential that it is about.
        challenge: S256 of the verifier that must come with it (RFC 7636).

    """
    secret = secrets.token_urlsafe(32)
    now = utcnow()
    db.session.add(
        OneTime(
            purpose=purpose,
            secret_hash=_hash(purpose, secret),
            user_id=user_id,
            subject=subject,
            epoch=epoch,
            challenge=challenge,
            created_at=now,
            expires_at=now + timedelta(seconds=seconds),
        )
    )
    return secret


@transaction()
def consume(purpose: str, secret: str) -> Consumed | None:
    """Consume a secret and commit, whatever the caller does next.

    Returns:
        What the secret was issued for; None if it has expired or a parallel request consumed it.

    Raises:
        UnknownCodeError: the secret does not exist, or not any more.

    """
    mine = (OneTime.purpose == purpose) & (OneTime.secret_hash == _hash(purpose, secret))
    found = db.session.scalar(select(OneTime).where(mine))
    # Of several requests at once, one deletes the row.
    used = updated_one(delete(OneTime).where(mine))
    db.session.commit()
    if found is None:
        raise UnknownCodeError
    if not used or found.user_id is None or found.expires_at <= utcnow():
        return None
    return Consumed(found.user_id, found.subject, found.epoch, found.challenge)


def revoke(purpose: str, user_id: int, *, subject: str | None = None) -> None:
    """Delete an account's unused secrets in the caller's transaction."""
    statement = delete(OneTime).where(OneTime.purpose == purpose, OneTime.user_id == user_id)
    if subject is not None:
        statement = statement.where(OneTime.subject == subject)
    db.session.execute(statement)


def init_app(app: Flask, key: bytes) -> None:
    """Take the key of the hashes."""
    _key.bind(app, key)


def _hash(purpose: str, secret: str) -> str:
    return hmac.digest(_key(), f"{purpose}\n{secret}".encode(), "sha256").hex()
