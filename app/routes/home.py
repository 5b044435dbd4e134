"""The front door."""

from __future__ import annotations

from flask import Blueprint, Response

from app.config import settings
from app.guards import access_token, person, public
from app.negotiation import page

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@public
def home() -> Response:
    """What this is and what to do; for a signed-in person also the access token."""
    who = person()
    return page(
        "home.html",
        access_token=access_token(who) if who else None,
        public_url=settings().public_url,
    )
