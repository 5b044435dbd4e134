"""What people paste where a token is asked for."""

from __future__ import annotations

import re

# The answer of a login, of `/login` or of the token API.
_IN_ANSWER = re.compile(r'"access(?:_token)?"\s*:\s*"([^"]*)"')
_SCHEME = re.compile(r"(?:authorization:)?\s*bearer\s+", re.IGNORECASE)


def token_in(text: str) -> str:
    """The token in what was pasted: alone, in quotes, after "Bearer", or in the answer of a login.

    A terminal breaks a long token into lines, and no token has a space.
    """
    answer = _IN_ANSWER.search(text)
    if answer:
        return answer[1]
    bare = text.strip().strip("\"',;").strip()
    return "".join(_SCHEME.sub("", bare, count=1).strip("\"'").split())
