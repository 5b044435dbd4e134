"""POST /register, and its form."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import limits, registration, users
from app.accounts.errors import AccountError
from app.errors import refused
from app.forms import RegistrationForm, read
from app.guards import public
from app.negotiation import is_browser, origin, page, registered, turn

blueprint = Blueprint("register", __name__)


@blueprint.get("/register")
@public
def form() -> Response:
    """Show a person the form."""
    if not is_browser():
        raise MethodNotAllowed(["POST"])
    return page("register.html", form=RegistrationForm(formdata=None))


@blueprint.post("/register")
@public
def register() -> AnyResponse:
    """Make an account."""
    form = read(RegistrationForm)
    try:
        users.refuse_if_closed()
        fields = form.values()
        limits.count_registration(origin().address)
        profile = registration.register(**fields, turn=turn(fields["username"]))
    except AccountError as error:
        return refused(error, "register.html", form)
    if is_browser():
        flash("Your account is made. Log in with it.", "success")
        return redirect("/login", 303)
    return registered(profile)
