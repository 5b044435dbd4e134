"""Refresh tokens: JWTs signed with a key that never leaves this service (HS256)."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import NamedTuple

import jwt as pyjwt
from flask import Flask
from jwt import PyJWK
from jwt.utils import base64url_encode

from app.config import settings
from app.core.errors import TokenExpiredError, TokenInvalidError, TokenWrongTypeError
from app.services import Service
from app.sessions.tokens import (
    ACCESS_CLAIMS,
    claims_of,
    is_access,
    number,
    read_access,
    verified,
)
from app.text import unix

_REFRESH_CLAIMS = sorted(ACCESS_CLAIMS - {"nbf"} | {"rotation"})
_refresh_key = Service[PyJWK]("key of refresh tokens")


class RefreshToken(NamedTuple):
    """What a refresh token says, and all that it is made of: equal facts, equal token.

    Attributes:
        user_id: the account.
        session_id: the login that it belongs to.
        rotation: which refresh token of that login it is, from 0.
        issued_at: when it was made, UTC.
        expires_at: when it ends, UTC.
        started_at: when the session began, UTC; None: made before tokens said so.

    """

    user_id: int
    session_id: int
    rotation: int
    issued_at: datetime
    expires_at: datetime
    started_at: datetime | None


def sign_refresh(facts: RefreshToken) -> str:
    """Make the refresh token of these facts; the same facts always make the same token."""
    issued_at = unix(facts.issued_at)
    claims = claims_of("refresh", facts.user_id, facts.session_id, issued_at, facts.expires_at) | {
        "rotation": facts.rotation
    }
    if facts.started_at is not None:
        claims["started_at"] = unix(facts.started_at)
    key = _refresh_key()
    place = f"{facts.session_id}.{facts.rotation}".encode()
    claims["jti"] = hmac.digest(key.key, place, "sha256").hex()[:32]
    return pyjwt.encode(claims, key, "HS256")


def read_refresh(token: str) -> RefreshToken:
    """Verify a refresh token's signature, claims and time; its session is not looked at.

    Raises:
        TokenWrongTypeError: it is a good access token.
        TokenExpiredError: it was good and its time is over.
        TokenInvalidError: anything else is wrong with it.

    """
    config = settings()
    try:
        claims = verified(
            token,
            lambda: pyjwt.decode(
                token,
                _refresh_key(),
                algorithms=["HS256"],
                audience=config.public_url,
                issuer=config.public_url,
                options={"require": _REFRESH_CLAIMS},
            ),
        )
    except TokenInvalidError:
        if is_access(token):
            read_access(token)
            raise TokenWrongTypeError from None
        raise
    if claims["type"] != "refresh" or claims["token_type"] != "refresh":
        raise TokenWrongTypeError
    return RefreshToken(
        number(claims["sub"]),
        number(claims["sid"]),
        claims["rotation"],
        _from_unix(claims["iat"]),
        _from_unix(claims["exp"]),
        _from_unix(claims["started_at"]) if "started_at" in claims else None,
    )


def is_refresh(token: str) -> bool:
    """Tell whether a token is a refresh token that was signed here, expired or not."""
    try:
        read_refresh(token)
    except TokenExpiredError:
        return True
    except TokenInvalidError:
        return False
    return True


def init_app(app: Flask, key: bytes) -> None:
    """Take the key that signs refresh tokens."""
    # PyJWT validates a JWK (RFC 7517) once, and a key in bytes at each signature.
    octets = base64url_encode(key).decode()
    _refresh_key.bind(app, PyJWK.from_dict({"kty": "oct", "k": octets, "alg": "HS256"}))


def _from_unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
