"""Access and refresh tokens: signed and read here, without any input or output.

An access token is a JWT of RFC 9068 (ES256, `typ` at+jwt) that anybody can verify with the
public keys. A refresh token is a JWT signed with a key that never leaves this service (HS256).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import jwt as pyjwt
from flask import Flask, current_app
from flask_jwt_extended import decode_token
from flask_jwt_extended.exceptions import JWTExtendedException

from app.accounts.errors import TokenExpiredError, TokenInvalidError, TokenWrongTypeError
from app.accounts.keys import keyring
from app.config import Config, settings
from app.extensions import jwt

MAX_TOKEN_CHARACTERS = 4096
# As many of a worker's tokens are verified once and not at each request; `make bench` weighs them.
REMEMBERED_TOKENS = 4096
ACCESS_HEADER_TYPE = "at+jwt"

# Three runs of unpadded base64url (RFC 7515 §7.1); decoders let more than that pass.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ACCESS_CLAIMS = {
    "iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "type", "token_type", "user_id",
}  # fmt: skip
_REFRESH_CLAIMS = _ACCESS_CLAIMS - {"nbf"} | {"rotation"}
# Whatever a decoder can raise over bytes from outside: broken JSON is a ValueError, nesting a
# RecursionError, a list in the place of an object a TypeError.
_MALFORMED = (
    pyjwt.PyJWTError, JWTExtendedException,
    ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a good access token says.

    Attributes:
        user_id: the account.
        session_id: the login that it came from.
        not_before: Unix time from which it is good.
        expires_at: Unix time at which it ends.
        kid: the key that signed it.

    """

    user_id: int
    session_id: int
    not_before: int
    expires_at: int
    kid: str


@dataclass(frozen=True, slots=True)
class RefreshToken:
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


def sign_access(user_id: int, session_id: int, expires_at: datetime) -> str:
    """Make an access token that is good from now on.

    Args:
        user_id: the account (`sub`, and `user_id` as SimpleJWT has it).
        session_id: the login (`sid`).
        expires_at: when it ends, UTC.

    """
    key = keyring().current()
    now = int(time.time())
    claims = _claims("access", user_id, session_id, now, expires_at) | {
        "nbf": now,
        "jti": uuid.uuid4().hex,
    }
    header = {"kid": key.kid, "typ": ACCESS_HEADER_TYPE}
    return pyjwt.encode(claims, key.private_key, "ES256", header)


def read_access(token: str) -> AccessToken:
    """Verify an access token: one pinned algorithm, our keys alone, every claim there.

    What cannot change, its signature and its claims, is verified once and remembered. What can,
    its time and whether its key is still one of ours, is looked at each time.

    Raises:
        TokenExpiredError: it was good and its time is over.
        TokenInvalidError: anything else is wrong with it.

    """
    access: AccessToken = current_app.extensions["verified_tokens"](token)
    now = time.time()
    if access.expires_at <= now:
        raise TokenExpiredError
    if access.not_before > now or keyring().find(access.kid) is None:
        raise TokenInvalidError
    return access


def sign_refresh(facts: RefreshToken) -> str:
    """Make the refresh token of these facts; the same facts always make the same token."""
    issued_at = _unix(facts.issued_at)
    claims = _claims("refresh", facts.user_id, facts.session_id, issued_at, facts.expires_at) | {
        "rotation": facts.rotation
    }
    if facts.started_at is not None:
        claims["started_at"] = _unix(facts.started_at)
    claims["jti"] = hmac.new(
        _refresh_key(), f"{facts.session_id}.{facts.rotation}".encode(), hashlib.sha256
    ).hexdigest()[:32]
    return pyjwt.encode(claims, _refresh_key(), "HS256")


def read_refresh(token: str) -> RefreshToken:
    """Verify a refresh token's signature, claims and time; its session is not looked at.

    Raises:
        TokenWrongTypeError: it is a good access token.
        TokenExpiredError: it was good and its time is over.
        TokenInvalidError: anything else is wrong with it.

    """
    if is_access(token):
        read_access(token)
        raise TokenWrongTypeError
    config = settings()
    claims = _verified(
        token,
        lambda: pyjwt.decode(
            token,
            _refresh_key(),
            algorithms=["HS256"],
            audience=config.public_url,
            issuer=config.public_url,
            options={"require": sorted(_REFRESH_CLAIMS)},
        ),
    )
    if claims["type"] != "refresh" or claims["token_type"] != "refresh":
        raise TokenWrongTypeError
    return RefreshToken(
        _number(claims["sub"]),
        _number(claims["sid"]),
        claims["rotation"],
        _from_unix(claims["iat"]),
        _from_unix(claims["exp"]),
        _from_unix(claims["started_at"]) if "started_at" in claims else None,
    )


def is_access(token: str) -> bool:
    """Tell from its unverified header whether a token claims to be an access token."""
    header = _verified(token, lambda: pyjwt.get_unverified_header(token))
    return header.get("typ") == ACCESS_HEADER_TYPE


def init_app(app: Flask) -> None:
    """Tell Flask-JWT-Extended what an access token is; it is told before it is bound."""
    config: Config = app.extensions["settings"]
    app.config.update(
        JWT_ALGORITHM="ES256",
        JWT_DECODE_ALGORITHMS=["ES256"],
        JWT_DECODE_AUDIENCE=config.public_url,
        JWT_DECODE_ISSUER=config.public_url,
        JWT_TOKEN_LOCATION=["headers"],
    )
    secret: bytes = app.extensions["secret"]
    app.extensions["verified_tokens"] = lru_cache(REMEMBERED_TOKENS)(_verify_access)
    app.extensions["refresh_key"] = hmac.digest(secret, b"refresh tokens", "sha256")


@jwt.decode_key_loader
def _verifying_key(header: dict[str, Any], claims: dict[str, Any]) -> Any:
    # Flask-JWT-Extended fills in claims that are missing (`type` as "access"), so that what is
    # missing can be seen only here, before it does. The signature over both is checked next.
    if not claims.keys() >= _ACCESS_CLAIMS or header.get("typ") != ACCESS_HEADER_TYPE:
        raise pyjwt.InvalidTokenError
    key = keyring().find(str(header.get("kid")))
    if key is None:
        raise pyjwt.InvalidTokenError
    return key.public_key


def _verify_access(token: str) -> AccessToken:
    claims = _verified(token, lambda: decode_token(token))
    if claims["type"] != "access" or claims["token_type"] != "access":
        raise TokenInvalidError
    return AccessToken(
        _number(claims["sub"]),
        _number(claims["sid"]),
        int(claims["nbf"]),
        int(claims["exp"]),
        pyjwt.get_unverified_header(token)["kid"],
    )


def _verified(token: str, decode: Any) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARACTERS or not _COMPACT.fullmatch(token):
        raise TokenInvalidError
    try:
        claims: dict[str, Any] = decode()
    except pyjwt.ExpiredSignatureError:
        raise TokenExpiredError from None
    except _MALFORMED:
        raise TokenInvalidError from None
    return claims


def _claims(
    kind: str, user_id: int, session_id: int, issued_at: int, expires_at: datetime
) -> dict[str, Any]:
    url = settings().public_url
    return {
        "iss": url,
        "aud": url,
        "sub": str(user_id),
        "iat": issued_at,
        "exp": _unix(expires_at),
        "sid": str(session_id),
        "type": kind,
        "token_type": kind,
        "user_id": str(user_id),
    }


def _refresh_key() -> bytes:
    key: bytes = current_app.extensions["refresh_key"]
    return key


def _number(text: Any) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdigit()):
        raise TokenInvalidError
    return int(text)


def _unix(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())


def _from_unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
