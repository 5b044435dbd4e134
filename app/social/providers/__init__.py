"""The identity providers that the settings name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from flask import Flask

from app.config import settings
from app.core.errors import NotFoundError
from app.extensions import oauth
from app.social.intent import LoginIntent

if TYPE_CHECKING:
    from app.social.providers.base import Provider


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """A provider login from which the browser came back; `requested_at` is UTC."""

    intent: LoginIntent
    verifier: str
    nonce: str
    requested_at: datetime


def init_app(app: Flask) -> None:
    """Set up the providers that the settings name."""
    config = settings.of(app)
    if config.providers:
        # Imported late: without a provider, Authlib and Requests would be idle memory.
        from app.social.providers import clients

        clients.init_app(app)


def provider(name: str) -> Provider:
    """The provider of this name.

    Raises:
        NotFoundError: it is not set up.

    """
    found = oauth.create_client(name) if name in settings().providers else None
    if found is None:
        raise NotFoundError
    return cast("Provider", found)
