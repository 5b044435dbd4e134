"""Lifetimes of tokens and sessions."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import case

from app.config import settings
from app.models import Session
from app.sessions.refresh_tokens import RefreshToken

# How long a browser stays logged in whose person did not ask for more.
NOT_KEPT = timedelta(hours=12)


def access_end(now: datetime) -> datetime:
    """When an access token issued now expires, UTC."""
    return now + timedelta(seconds=settings().access_token_ttl)


def refresh_end(started_at: datetime, rotated_at: datetime, *, kept: bool = True) -> datetime:
    """When a session ends that is not used again, and with it its refresh token, UTC.

    Args:
        started_at: when the session began, UTC.
        rotated_at: when it was used last, UTC.
        kept: False for a browser whose person did not ask to be kept logged in.

    """
    config = settings()
    end = min(
        rotated_at + timedelta(seconds=config.refresh_token_ttl),
        started_at + timedelta(seconds=config.session_max_age),
    )
    return end if kept else min(end, started_at + NOT_KEPT)


def current_refresh_token(session: Session) -> RefreshToken:
    """The current refresh token of a session whose owner is there."""
    assert session.user_id is not None  # noqa: S101 - the foreign key of a living session
    return RefreshToken(
        session.user_id,
        session.id,
        session.rotation,
        issued_at=session.rotated_at,
        expires_at=session.expires_at,
        started_at=session.created_at,
    )


def use_values(now: datetime, access_expires_at: datetime) -> dict[str, object]:
    """The columns that each use of a session updates; `access_expires_at` never moves back."""
    later = case(
        (Session.access_expires_at > access_expires_at, Session.access_expires_at),
        else_=access_expires_at,
    )
    return {"last_used_at": now, "access_expires_at": later}
