"""POST /register, its form, and POST /api/auth/register."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import registration
from app.accounts.forms import RegistrationForm
from app.accounts.front_end import asking, behind
from app.accounts.lookup import Profile
from app.config import settings
from app.core.errors import (
    AccountError,
    EmailTakenError,
    EmailUnverifiedError,
    UsernameTakenError,
)
from app.limits import declared as limits
from app.web.access import current_person, log_in_browser
from app.web.browser import arrival, last_used
from app.web.browser.unverified import ask_for_proof
from app.web.errors import simplejwt
from app.web.errors.problems import render_refusal
from app.web.forms import parse_form
from app.web.i18n import asked_for
from app.web.marks import public
from app.web.negotiation import (
    is_browser,
    json_response,
    local_path,
    origin,
    render_page,
)

blueprint = Blueprint("register", __name__)


@blueprint.get("/register")
@public
def form() -> AnyResponse:
    """Show a person the form."""
    if not is_browser():
        raise MethodNotAllowed(["POST"])
    client = asking(request.args)
    onward = client.path if client else local_path(request.args.get("next"))
    if current_person():
        return redirect(onward, 303)
    form = RegistrationForm(formdata=None)
    return render_page("accounts/register.html", form=form, **_context(onward))


@blueprint.post("/register")
@public(limit=limits.REGISTRATION)
def register() -> AnyResponse:
    """Make an account, and log a person in to it."""
    form = parse_form(RegistrationForm)
    try:
        registration.refuse_if_closed()
        fields = form.values()
        here, language = origin(), asked_for()
        if not is_browser():
            return _registered(registration.register(**fields, origin=here, language=language))
        grant = registration.register_and_log_in(**fields, origin=here, language=language)
    except EmailUnverifiedError as error:
        return ask_for_proof(error, local_path(request.form.get("next")))
    except AccountError as error:
        context = _context(local_path(request.form.get("next")) if is_browser() else "/")
        if isinstance(error, UsernameTakenError | EmailTakenError):
            context["taken"] = error.errors.keys()
        return render_refusal(error, "accounts/register.html", form, **context)
    onward = local_path(request.form.get("next"))
    log_in_browser(grant)
    arrival.note(onward)
    last_used.remember(last_used.PASSWORD)
    flash(_("Your account is ready."), "success")
    return redirect(onward, 303)


@simplejwt.blueprint.post("/register", endpoint="register")
@public(limit=limits.REGISTRATION)
def register_by_api() -> Response:
    """Make an account."""
    registration.refuse_if_closed()
    fields = parse_form(RegistrationForm).values()
    return _registered(registration.register(**fields, origin=origin(), language=asked_for()))


def _registered(profile: Profile) -> Response:
    """Tell a program that an account is made, and where it is."""
    user = {"id": profile.id, "username": profile.username, "email": profile.email}
    response = json_response({"message": "User registered successfully", "user": user}, 201)
    response.headers["Location"] = f"{settings().public_url}/api/auth/me/"
    return response


def _context(onward: str) -> dict[str, Any]:
    """What the page needs beside its form; `taken` names the fields that another account has."""
    return {
        "next": onward,
        "leads_to": behind(onward),
        "providers": settings().providers,
        "last_used": last_used.method(),
        "taken": (),
    }
