"""POST /password/strength: what a page says of a new password as soon as its field is left."""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.exceptions import NotAcceptable

from app.accounts import lookup
from app.accounts.forms import StrengthForm
from app.limits import declared as limits
from app.passwords.policy import weakness
from app.web.access import current_person
from app.web.forms import parse_form
from app.web.marks import public
from app.web.negotiation import is_browser, json_response

blueprint = Blueprint("strength", __name__)


@blueprint.post("/password/strength")
@public(limit=limits.STRENGTH)
def judge() -> Response:
    """Judge a password by the rule that will decide when the form is sent; nothing is kept of it.

    The message is empty where the password is good.
    """
    if not is_browser():
        raise NotAcceptable
    fields = parse_form(StrengthForm).values()
    who = current_person()
    own_words = [fields.get("username", ""), fields.get("email", "")]
    if who is not None:
        own_words += lookup.own_words(who.id)
    message = weakness(fields["password"], own_words=own_words)
    return json_response({"message": str(message or "")})
