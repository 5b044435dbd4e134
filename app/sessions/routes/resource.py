"""GET /resource: what the token is for."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response
from werkzeug.exceptions import MethodNotAllowed

from app.core.errors import AccountError
from app.sessions import checking
from app.sessions.forms import TokenForm
from app.sessions.pasted import token_in
from app.web.access import bearer_token, current_person
from app.web.errors.problems import render_refusal
from app.web.forms import parse_form
from app.web.marks import public
from app.web.negotiation import is_browser, json_response, render_page

blueprint = Blueprint("resource", __name__)
_PAGE, _TEMPLATE = "/resource", "sessions/resource.html"


@blueprint.get(_PAGE)
@public(unlimited="a signature cannot be guessed")
def resource() -> Response:
    """Answer "akses sukses" to a good token; to a logged-in person show the cat."""
    if not is_browser():
        bearer_token()
        return json_response({"message": "akses sukses"})
    who = current_person()
    if who is not None:
        return render_page(_TEMPLATE, granted=True, name=who.username)
    return render_page(_TEMPLATE, granted=False, form=TokenForm(formdata=None))


@blueprint.post(_PAGE)
@public(unlimited="a signature cannot be guessed")
def paste() -> Response:
    """Show the cat to a person who pastes a good token, or why the token is not good."""
    if not is_browser():
        raise MethodNotAllowed(["GET", "HEAD"])
    form = parse_form(TokenForm)
    try:
        access = checking.check_access_token(token_in(form.values()["token"]))
    except AccountError as error:
        reason = error.page_detail or error.detail
        return render_refusal(error, _TEMPLATE, form, granted=False, reason=reason)
    return render_page(
        _TEMPLATE,
        granted=True,
        pasted=True,
        account=access.user_id,
        until=datetime.fromtimestamp(access.expires_at, UTC).replace(tzinfo=None),
    )
