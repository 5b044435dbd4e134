"""Signing in with an outside identity provider: what it is for, and which providers there are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from flask import Flask

from app.accounts.errors import NotFoundError
from app.config import Config, settings
from app.extensions import oauth

if TYPE_CHECKING:
    from app.providers.clients import Provider


@dataclass(frozen=True, slots=True)
class Client:
    """A front end that wants a one-time code.

    Attributes:
        redirect_url: where it wants it; one of CLIENT_REDIRECT_URLS.
        challenge: the S256 of its verifier (RFC 7636).
        state: what it wants back with the code.

    """

    redirect_url: str
    challenge: str
    state: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The session whose person began a provider login for a change of the account.

    Attributes:
        purpose: "connect" the identity to the account, or "confirm" that it is the owner.
        user_id: the account.
        session_id: the session.
        epoch: the account's `auth_epoch` then.

    """

    purpose: str
    user_id: int
    session_id: int
    epoch: int


@dataclass(frozen=True, slots=True)
class LoginIntent:
    """What a provider login is for.

    Attributes:
        path: the page to go to afterwards.
        asked: the session whose account is to be changed, in place of logging in.
        client: the front end that wants a code, in place of a page.
        began_by: the account that was logged in when the login began.

    """

    path: str = "/"
    asked: Asked | None = None
    client: Client | None = None
    began_by: int | None = None

    @property
    def is_confirmation(self) -> bool:
        """Whether the provider is to authenticate the person again."""
        return self.asked is not None and self.asked.purpose == "confirm"

    @classmethod
    def from_cookie(cls, stored: dict[str, Any]) -> LoginIntent:
        """Return what `to_cookie` stored."""
        asked, client = stored.get("asked"), stored.get("client")
        return cls(
            stored["path"],
            Asked(**asked) if asked else None,
            Client(**client) if client else None,
            stored.get("began_by"),
        )

    def to_cookie(self) -> dict[str, Any]:
        """As JSON, without what is not there."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Start:
    """A provider login that a browser began and came back from; `requested_at` is UTC."""

    intent: LoginIntent
    verifier: str
    nonce: str
    requested_at: datetime


def init_app(app: Flask) -> None:
    """Set up the providers that the settings name."""
    config: Config = app.extensions["settings"]
    if config.providers:
        # Imported late: without a provider, Authlib and Requests would be idle memory.
        from app.providers import clients

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
