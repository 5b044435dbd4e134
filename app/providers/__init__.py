"""Signing in with an outside identity provider: what it is for, and which providers there are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
class Onward:
    """What a sign-in is for.

    Attributes:
        path: the page to go to afterwards.
        link: the signed-in person to whose account the identity is to be connected.
        client: the front end that wants a code, in place of a page.

    """

    path: str = "/"
    link: int | None = None
    client: Client | None = None

    @classmethod
    def from_cookie(cls, stored: dict[str, Any]) -> Onward:
        """Return what `to_cookie` stored."""
        client = stored.get("client")
        return cls(stored["path"], stored.get("link"), Client(**client) if client else None)

    def to_cookie(self) -> dict[str, Any]:
        """As JSON, without what is not there."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Start:
    """A sign-in that a browser began and came back from."""

    onward: Onward
    verifier: str
    nonce: str


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
