"""From where something was asked: what a mail says of it, and in which language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """What sends a request, as a mail names it.

    Attributes:
        address: its IP address; empty: a command.
        user_agent: what its program calls itself.
        language: the language that the request names, or None.

    """

    address: str = ""
    user_agent: str = ""
    language: str | None = None
