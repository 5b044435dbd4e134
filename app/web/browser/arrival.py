"""Whether the login of this browser was just asked for by a front end, which then gets its code.

A person who was logged in before presses a button first, so that no other site's link hands out a
code unseen.
"""

from __future__ import annotations

import time

from flask import session

_NAME = "arrived"
_SECONDS = 60


def note(onward: str) -> None:
    """Note that a login that was just made leads on to this page."""
    session[_NAME] = (onward, int(time.time()))


def take(page: str) -> bool:
    """Tell, once, whether a login of the last minute leads on to this page."""
    noted = session.pop(_NAME, None)
    return noted is not None and noted[0] == page and time.time() - noted[1] < _SECONDS
