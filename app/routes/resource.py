"""GET /resource: what the token is for."""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.exceptions import MethodNotAllowed

from app.accounts import sessions
from app.accounts.errors import AccountError
from app.errors import refused
from app.forms import TokenForm, read
from app.guards import bearer, person, public
from app.negotiation import data, is_browser, page

blueprint = Blueprint("resource", __name__)


@blueprint.get("/resource")
@public
def resource() -> Response:
    """Answer "akses sukses" to a good token; to a signed-in person show the cat."""
    if not is_browser():
        bearer()
        return data({"message": "akses sukses"})
    return page("resource.html", granted=person() is not None, form=TokenForm(formdata=None))


@blueprint.post("/resource")
@public
def paste() -> Response:
    """Show the cat to a person who pastes a good token, or why the token is not good."""
    if not is_browser():
        raise MethodNotAllowed(["GET", "HEAD"])
    form = read(TokenForm)
    try:
        sessions.check(form.values()["token"].strip())
    except AccountError as error:
        return refused(error, "resource.html", form, granted=False, reason=error.detail)
    return page("resource.html", granted=True, form=form)
