"""POST /login, its form, and POST /logout."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.forms import LoginForm, PageLoginForm
from app.accounts.front_end import asking, behind
from app.accounts.login import log_in
from app.config import settings
from app.core.errors import AccountError, EmailUnverifiedError, TokenMissingError
from app.limits import declared as limits
from app.sessions import ending
from app.web.access import current_person, log_in_browser, log_out_browser
from app.web.browser import arrival, last_used
from app.web.browser.unverified import ask_for_proof
from app.web.errors.problems import render_refusal
from app.web.forms import parse_form
from app.web.marks import public
from app.web.negotiation import is_browser, json_response, local_path, origin, render_page

blueprint = Blueprint("login", __name__)


@blueprint.get("/login")
@public
def form() -> AnyResponse:
    """Show a person the form."""
    if not is_browser():
        raise MethodNotAllowed(["POST"])
    client = asking(request.args)
    onward = client.path if client else local_path(request.args.get("next"))
    if current_person():
        return redirect(onward, 303)
    form = PageLoginForm(formdata=None)
    return render_page("accounts/login.html", form=form, **_context(onward))


@blueprint.post("/login")
@public(limit=limits.LOGIN)
def login() -> AnyResponse:
    """Open a session: tokens for a program, a cookie for a person."""
    form = parse_form(PageLoginForm if is_browser() else LoginForm)
    onward = local_path(request.form.get("next")) if is_browser() else "/"
    try:
        fields = form.values()
        keep = bool(fields.get("keep"))
        grant = log_in(fields["username"], fields["password"], origin(), keep=keep)
    except EmailUnverifiedError as error:
        if is_browser():
            return ask_for_proof(error, onward)
        raise
    except AccountError as error:
        return render_refusal(error, "accounts/login.html", form, **_context(onward))
    if is_browser():
        log_in_browser(grant, keep=keep)
        arrival.note(onward)
        last_used.remember(last_used.PASSWORD)
        return redirect(onward, 303)
    return json_response(
        {
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "token_type": "Bearer",
            "expires_in": grant.expires_in,
        }
    )


@blueprint.get("/logout", endpoint="page_of_logout")
@public
def back() -> AnyResponse:
    """Lead a person who reopens the address of the button to the home page."""
    if not is_browser():
        raise MethodNotAllowed(["POST"])
    return redirect("/", 303)


@blueprint.post("/logout")
@public(unlimited="ends the session that asks")
def logout() -> AnyResponse:
    """End the browser's session; one that has ended already is as the person wants it."""
    if not is_browser():
        raise TokenMissingError
    who = current_person()
    if who is not None:
        ending.log_out(who.session_id)
        log_out_browser()
        flash(_("You are logged out."), "success")
    return redirect("/", 303)


def _context(onward: str) -> dict[str, Any]:
    config = settings()
    return {
        "next": onward,
        "leads_to": behind(onward),
        "providers": config.providers,
        "demo": config.social_demo,
        "last_used": last_used.method(),
    }
