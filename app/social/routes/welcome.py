"""The first login to an account that a provider login created."""

from __future__ import annotations

from typing import Any

from flask import redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import login_methods, lookup
from app.core.errors import AccountError
from app.limits import declared as limits
from app.social import first_login
from app.social.forms import FirstLoginForm, UsernameForm
from app.social.routes import blueprint, next_path
from app.web.access import Person, actor, update_username
from app.web.forms import parse_form
from app.web.marks import person_only
from app.web.negotiation import render_page
from app.web.pages.settings_pages import render_refused_change

__all__ = ["blueprint"]

_TEMPLATE = "social/welcome.html"


@blueprint.get("/welcome")
@person_only
def welcome(who: Person) -> AnyResponse:
    """Offer another username, and ask for the e-mail if the provider gave none."""
    if not first_login.is_first_login(who.id):
        return redirect("/account/profile", 303)
    profile = lookup.profile(who.id)
    form_class = UsernameForm if profile.email else FirstLoginForm
    form = form_class(formdata=None, data={"username": profile.username})
    return render_page(_TEMPLATE, form=form, **_context(who, request.args.get("next")))


@blueprint.post("/welcome")
@person_only(limit=limits.REGISTRATION)
def complete_first_login(who: Person) -> AnyResponse:
    """Save the username, and the e-mail if the account had none."""
    if not first_login.is_first_login(who.id):
        return redirect("/account/profile", 303)
    form = parse_form(UsernameForm if lookup.profile(who.id).email else FirstLoginForm)
    context = _context(who, request.form.get("next"))
    try:
        profile = first_login.complete_first_login(actor(who), **form.values())
    except AccountError as error:
        return render_refused_change(error, _TEMPLATE, form, **context)
    update_username(profile.username)
    return redirect(context["next"], 303)


def _context(who: Person, onward: str | None) -> dict[str, Any]:
    providers = login_methods.providers(who.id).values()
    return {"label": next(iter(providers), _("The provider")), "next": next_path(onward)}
