"""The front door."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from flask import Blueprint, Response

from app.config import settings
from app.web.access import access_token, current_person
from app.web.marks import public
from app.web.negotiation import render_page

blueprint = Blueprint("home", __name__)

# Without those that look alike.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@blueprint.get("/")
@public
def home() -> Response:
    """What this is and what to do; for a logged-in person also the access token."""
    who = current_person()
    return render_page(
        "system/home.html",
        access_token=access_token(who) if who else None,
        token_until=datetime.fromtimestamp(who.until, UTC) if who else None,
        public_url=settings().public_url,
        # Of the account that the examples create, if somebody tries them.
        demo_name="demo-" + "".join(secrets.choice(_LETTERS) for _ in range(6)),
    )
