"""The living sessions of an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select

from app.core.devices import Device, identify
from app.extensions import db
from app.models import Session, utcnow
from app.sessions.origin import Actor

# Active sessions of an account; a new login ends the oldest beyond these.
MAX_SESSIONS = 100


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session, as its owner sees it in the list."""

    id: int
    created_at: datetime
    last_used_at: datetime
    address: str
    user_agent: str
    current: bool

    @property
    def device(self) -> Device:
        """The device, as a person calls it."""
        return identify(self.user_agent)


def list_sessions(user_id: int, current_id: int | None = None) -> list[SessionInfo]:
    """The active sessions of an account, most recently used first."""
    living = (
        select(Session)
        .where(*is_living(user_id))
        .order_by(Session.last_used_at.desc(), Session.id.desc())
        .limit(MAX_SESSIONS)
    )
    return [
        SessionInfo(
            row.id,
            row.created_at,
            row.last_used_at,
            row.last_address,
            row.user_agent,
            row.id == current_id,
        )
        for row in db.session.scalars(living)
    ]


def is_living(user_id: int) -> list[ColumnElement[bool]]:
    """The conditions on `Session` of a person's living sessions."""
    return [
        Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > utcnow(),
    ]  # fmt: skip


def is_alive(actor: Actor) -> list[ColumnElement[bool]]:
    """The conditions on `Session` that the session which asks has not ended."""
    return [
        Session.id == actor.session_id,
        Session.user_id == actor.user_id,
        Session.revoked_at.is_(None),
    ]
