"""Checking access and refresh tokens."""

from __future__ import annotations

from app.core.errors import (
    TokenExpiredError,
    TokenInvalidError,
    TokenRevokedError,
    TokenWrongTypeError,
)
from app.extensions import db
from app.models import Session, utcnow
from app.sessions import refresh_tokens, tokens
from app.sessions.origin import Origin
from app.sessions.refreshing import in_grace
from app.sessions.revocation import revocation_list
from app.sessions.tokens import AccessToken


def check_access_token(token: str) -> AccessToken:
    """Verify an access token and that its session has not ended, without a query.

    Raises:
        TokenError: it is malformed, expired, revoked or a refresh token.
        RevocationUnknownError: the database has been unavailable for too long.

    """
    try:
        access = tokens.read_access(token)
    except TokenInvalidError:
        if refresh_tokens.is_refresh(token):
            raise TokenWrongTypeError.refresh_for_access() from None
        raise
    revocation_list().check(access.session_id)
    return access


def verify(token: str, origin: Origin) -> None:
    """Return if an access or refresh token would be accepted now.

    Raises:
        TokenError: it would be refused.

    """
    if tokens.is_access(token):
        check_access_token(token)
        return
    presented = refresh_tokens.read_refresh(token)
    session = db.session.get(Session, presented.session_id)
    if session is None or session.user_id != presented.user_id or session.revoked_at is not None:
        raise TokenRevokedError
    if session.expires_at <= utcnow():
        raise TokenExpiredError
    if session.rotation != presented.rotation and not in_grace(session, presented, origin):
        raise TokenRevokedError
