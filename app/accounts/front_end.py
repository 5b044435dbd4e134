"""Logging in for another program: a front end that gets a one-time code (RFC 6749 §4.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from app.config import settings
from app.core.errors import FrontEndRefusedError
from app.text import _l

# Where a person goes on to a front end once logged in.
CONTINUE = "/login/continue"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE = re.compile(r"[\x20-\x7e]{0,200}")


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A front end that wants a one-time code.

    Attributes:
        redirect_url: where the code goes; one of CLIENT_REDIRECT_URLS.
        challenge: the S256 of the front end's verifier (RFC 7636 §4.2).
        state: returned with the code.

    """

    redirect_url: str
    challenge: str
    state: str

    @property
    def name(self) -> str:
        """What a page calls it: its host."""
        return urlsplit(self.redirect_url).netloc

    @property
    def query(self) -> str:
        """What it asks for, as the query of an address."""
        return urlencode(
            {
                "redirect_uri": self.redirect_url,
                "state": self.state,
                "code_challenge": self.challenge,
                "code_challenge_method": "S256",
            }
        )

    @property
    def path(self) -> str:
        """The page of this service that leads on to it."""
        return f"{CONTINUE}?{self.query}"

    def answer_url(self, **answer: str) -> str:
        """The front end's address with an answer and its state in the query (RFC 6749 §4.1.2)."""
        separator = "&" if "?" in self.redirect_url else "?"
        return f"{self.redirect_url}{separator}{urlencode(answer | {'state': self.state})}"


def behind(path: str) -> FrontEnd | None:
    """The front end that a path of this service leads on to, or None."""
    at, _, query = path.partition("?")
    if at != CONTINUE:
        return None
    try:
        # Of two values the first counts, as in a request.
        return asking(dict(reversed(parse_qsl(query))))
    except FrontEndRefusedError:
        return None


def asking(arguments: Mapping[str, str]) -> FrontEnd | None:
    """The front end that the arguments of an address name, or None.

    Raises:
        FrontEndRefusedError: the settings do not know it, or its arguments are malformed. Nothing
            is redirected then (RFC 6749 §4.1.2.1).

    """
    if "redirect_uri" not in arguments:
        return None
    if arguments["redirect_uri"] not in settings().client_redirect_urls:
        raise FrontEndRefusedError
    challenge = arguments.get("code_challenge", "")
    if arguments.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise FrontEndRefusedError.saying(
            _l("Send code_challenge_method=S256 and a code_challenge of 43 characters.")
        )
    state = arguments.get("state", "")
    if not _STATE.fullmatch(state):
        raise FrontEndRefusedError.saying(
            _l("state may have up to 200 printable ASCII characters.")
        )
    return FrontEnd(arguments["redirect_uri"], challenge, state)
