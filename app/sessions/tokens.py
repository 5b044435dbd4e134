"""Access tokens, and what both kinds have in common: signed and read here, without any query.

An access token is a JWT of RFC 9068 (ES256, `typ` at+jwt) that anybody can verify with the
public keys.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jwt as pyjwt
from flask import Flask
from flask_jwt_extended import decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.utils import base64url_decode

from app.config import settings
from app.core.errors import TokenExpiredError, TokenInvalidError
from app.extensions import jwt
from app.services import Service
from app.sessions.keys import keyring
from app.text import unix

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

MAX_TOKEN_CHARACTERS = 4096
# The size of a worker's cache of verified tokens; `make bench` measures its memory.
REMEMBERED_TOKENS = 4096
ACCESS_HEADER_TYPE = "at+jwt"
# Three parts of unpadded base64url (RFC 7515 §7.1); decoders are more lenient.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
ACCESS_CLAIMS = {
    "iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "type", "token_type", "user_id",
}  # fmt: skip
# Everything that decoding untrusted bytes can raise: broken JSON is a ValueError, deep nesting a
# RecursionError, a list in place of an object a TypeError.
_MALFORMED = (
    pyjwt.PyJWTError, JWTExtendedException,
    ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of a verified access token.

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


verified_tokens: Service[_lru_cache_wrapper[AccessToken]] = Service("verified tokens")


def sign_access(user_id: int, session_id: int, expires_at: datetime) -> str:
    """Sign an access token that is valid from now on.

    Args:
        user_id: the account (`sub`, and `user_id` as SimpleJWT has it).
        session_id: the login (`sid`).
        expires_at: when it ends, UTC.

    """
    key = keyring().current()
    now = int(time.time())
    claims = claims_of("access", user_id, session_id, now, expires_at) | {
        "nbf": now,
        "jti": uuid.uuid4().hex,
    }
    header = {"kid": key.kid, "typ": ACCESS_HEADER_TYPE}
    return pyjwt.encode(claims, key.private_key, "ES256", header)


def read_access(token: str) -> AccessToken:
    """Verify an access token: ES256 only, our keys only, every claim required.

    What cannot change, its signature and its claims, is verified once and remembered. What can,
    its time and whether its key is still one of ours, is looked at each time.

    Raises:
        TokenExpiredError: it was good and its time is over.
        TokenInvalidError: anything else is wrong with it.

    """
    access = verified_tokens()(token)
    now = time.time()
    if access.expires_at <= now:
        raise TokenExpiredError
    if access.not_before > now or keyring().find(access.kid) is None:
        raise TokenInvalidError
    return access


def is_access(token: str) -> bool:
    """Tell from its unverified header whether a token claims to be an access token."""
    encoded = token.partition(".")[0]
    header = verified(token, lambda: json.loads(base64url_decode(encoded)))
    return isinstance(header, dict) and header.get("typ") == ACCESS_HEADER_TYPE


def init_app(app: Flask) -> None:
    """Configure Flask-JWT-Extended; called before its own `init_app`."""
    config = settings.of(app)
    app.config.update(
        JWT_ALGORITHM="ES256",
        JWT_DECODE_ALGORITHMS=["ES256"],
        JWT_DECODE_AUDIENCE=config.public_url,
        JWT_DECODE_ISSUER=config.public_url,
    )
    verified_tokens.bind(app, lru_cache(REMEMBERED_TOKENS)(_verify_access))


@jwt.decode_key_loader
def _verifying_key(header: dict[str, Any], claims: dict[str, Any]) -> Any:
    # Flask-JWT-Extended fills in claims that are missing (`type` as "access"), so that what is
    # missing can be seen only here, before it does. The signature over both is checked next.
    if not claims.keys() >= ACCESS_CLAIMS or header.get("typ") != ACCESS_HEADER_TYPE:
        raise pyjwt.InvalidTokenError
    key = keyring().find(str(header.get("kid")))
    if key is None:
        raise pyjwt.InvalidTokenError
    return key.public_key


def _verify_access(token: str) -> AccessToken:
    claims = verified(token, lambda: decode_token(token))
    if claims["type"] != "access" or claims["token_type"] != "access":
        raise TokenInvalidError
    return AccessToken(
        number(claims["sub"]),
        number(claims["sid"]),
        int(claims["nbf"]),
        int(claims["exp"]),
        pyjwt.get_unverified_header(token)["kid"],
    )


def verified(token: str, decode: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The claims or the header of a token, whatever is wrong with it being one of two refusals.

    Raises:
        TokenExpiredError: it was good and its time is over.
        TokenInvalidError: anything else is wrong with it.

    """
    if len(token) > MAX_TOKEN_CHARACTERS or not _COMPACT.fullmatch(token):
        raise TokenInvalidError
    try:
        claims: dict[str, Any] = decode()
    except pyjwt.ExpiredSignatureError:
        raise TokenExpiredError from None
    except _MALFORMED:
        raise TokenInvalidError from None
    return claims


def claims_of(
    kind: str, user_id: int, session_id: int, issued_at: int, expires_at: datetime
) -> dict[str, Any]:
    """The claims that access and refresh tokens share."""
    url = settings().public_url
    return {
        "iss": url,
        "aud": url,
        "sub": str(user_id),
        "iat": issued_at,
        "exp": unix(expires_at),
        "sid": str(session_id),
        "type": kind,
        "token_type": kind,
        "user_id": str(user_id),
    }


def number(text: Any) -> int:
    """The number that a claim holds as text.

    Raises:
        TokenInvalidError: it holds none.

    """
    if not (isinstance(text, str) and text.isascii() and text.isdigit()):
        raise TokenInvalidError
    return int(text)
