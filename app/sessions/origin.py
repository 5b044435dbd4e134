"""Who sends a request, and from where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.core.client import Client
from app.passwords.hashing_pool import FlowKey


def _no_browser(_user_id: int) -> None:
    return None


def _no_language() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from, as the list of sessions shows it.

    Attributes:
        address: the client's.
        user_agent: what the client's program calls itself.
        known_browser: the browser's id, if an account has logged in there before, else None.
        is_page: whether it is a page in a browser, which has a cookie and no refresh token.
        language: the language of the request's answer, or None.

    """

    address: str
    user_agent: str
    known_browser: Callable[[int], str | None] = _no_browser
    is_page: bool = False
    language: Callable[[], str | None] = _no_language

    @property
    def client(self) -> Client:
        """What a mail says of it."""
        return Client(self.address, self.user_agent, self.language())


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes an account: a session and its client."""

    user_id: int
    session_id: int
    client: Client

    @property
    def address(self) -> str:
        """The client's address."""
        return self.client.address

    @property
    def flow_key(self) -> FlowKey:
        """The flow under which this actor's passwords are hashed."""
        return FlowKey(self.address, str(self.user_id))
