"""Provider logins in the token API."""

from __future__ import annotations

from flask import Response

from app.limits import declared as limits
from app.social import codes
from app.social.forms import SocialCodeForm
from app.web.errors import simplejwt
from app.web.forms import parse_form
from app.web.marks import public
from app.web.negotiation import json_response, origin

blueprint = simplejwt.blueprint


@blueprint.post("/social/token")
@public(limit=limits.TOKEN)
def exchange_code() -> Response:
    """Exchange the one-time code of a social sign-in for the pair that logging in gives."""
    fields = parse_form(SocialCodeForm).values()
    grant = codes.redeem_code(fields["code"], fields["code_verifier"], origin())
    return json_response({"refresh": grant.refresh_token, "access": grant.access_token})
