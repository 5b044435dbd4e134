"""Secrets that count once: made for a purpose, consumed by a DELETE whose row count decides.

What the table keeps is a keyed hash, so that reading it gives nothing that could be replayed. A
secret with an epoch is refused once `user.auth_epoch` has risen.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, current_app
from sqlalchemy import delete, select

from app.accounts.errors import UnknownCodeError
from app.database import updated_one
from app.extensions import db
from app.models import OneTime, utcnow

LOGIN_CODE = "login_code"


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a secret stood for.

    Attributes:
        user_id: the account that it is for.
        subject: the exact e-mail or credential that it is about.
        epoch: the account's `auth_epoch` when it was issued; None: good under any.
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
    """Add a secret to the caller's transaction and return it: 256 bits in base64url.

    Args:
        purpose: what it is good for; it is found under no other purpose.
        user_id: the account that it is for.
        seconds: how long it is good.
        epoch: the account's `auth_epoch`, which must be the same at its use; None: any.
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


def consume(purpose: str, secret: str) -> Consumed | None:
    """Use a secret up and return what it stood for, or None: expired, or used at this moment.

    The deletion is committed, whatever the caller decides next.

    Raises:
        UnknownCodeError: there is no such secret, or no more.

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


def init_app(app: Flask) -> None:
    """Derive the key of the hashes."""
    secret: bytes = app.extensions["secret"]
    app.extensions["one_time_key"] = hmac.digest(secret, b"one-time secrets", "sha256")


def _hash(purpose: str, secret: str) -> str:
    key: bytes = current_app.extensions["one_time_key"]
    return hmac.digest(key, f"{purpose}\n{secret}".encode(), "sha256").hex()
