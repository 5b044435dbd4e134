"""POST /login, its form, and POST /logout."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import sessions
from app.accounts.errors import AccountError
from app.config import settings
from app.errors import refused
from app.forms import LoginForm, read
from app.guards import Person, person, person_only, public, sign_in, sign_out
from app.negotiation import data, is_browser, local_path, origin, page

blueprint = Blueprint("login", __name__)


@blueprint.get("/login")
@public
def form() -> AnyResponse:
    """Show a person the form."""
    if not is_browser():
        raise MethodNotAllowed(["POST"])
    onward = local_path(request.args.get("next"))
    if person():
        return redirect(onward, 303)
    return page("login.html", form=LoginForm(formdata=None), **_context(onward))


@blueprint.post("/login")
@public
def login() -> AnyResponse:
    """Open a session: tokens for a program, a cookie for a person."""
    form = read(LoginForm)
    onward = local_path(request.form.get("next")) if is_browser() else "/"
    try:
        fields = form.values()
        grant = sessions.log_in(fields["username"], fields["password"], origin())
    except AccountError as error:
        return refused(error, "login.html", form, **_context(onward))
    if is_browser():
        sign_in(grant)
        return redirect(onward, 303)
    return data(
        {
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "token_type": "Bearer",
            "expires_in": grant.expires_in,
        }
    )


@blueprint.post("/logout")
@person_only
def logout(who: Person) -> AnyResponse:
    """End the browser's session."""
    sessions.log_out(who.session_id)
    sign_out()
    return redirect("/", 303)


def _context(onward: str) -> dict[str, Any]:
    config = settings()
    return {"next": onward, "providers": config.providers, "demo": config.social_demo}
