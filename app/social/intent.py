"""What a provider login is for: a page here, a change of the account, or a front end's code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from app.accounts.front_end import FrontEnd


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """The session whose person began a provider login for a change of the account.

    Attributes:
        purpose: "connect" the identity to the account, or "confirm" that the person owns it.
        user_id: the account.
        session_id: the session.
        epoch: the account's `auth_epoch` at that time.

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
    asked: AccountRequest | None = None
    client: FrontEnd | None = None
    began_by: int | None = None

    @property
    def is_confirmation(self) -> bool:
        """Whether the provider is to authenticate the person again."""
        return self.asked is not None and self.asked.purpose == "confirm"

    @classmethod
    def from_cookie(cls, stored: dict[str, Any]) -> LoginIntent:
        """The intent that `to_cookie` stored."""
        asked, client = stored.get("asked"), stored.get("client")
        return cls(
            stored["path"],
            AccountRequest(**asked) if asked else None,
            FrontEnd(**client) if client else None,
            stored.get("began_by"),
        )

    def to_cookie(self) -> dict[str, Any]:
        """The intent as JSON, without empty members."""
        return {name: value for name, value in asdict(self).items() if value is not None}
