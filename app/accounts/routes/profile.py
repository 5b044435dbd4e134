"""The profile of the logged-in person: the first of the settings pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import login_methods, lookup, profile_change
from app.accounts.forms import AUTOMATIC, ProfileForm
from app.accounts.language import language_of
from app.core.errors import AccountError
from app.limits import declared as limits
from app.web.access import Person, actor, update_username
from app.web.forms import parse_form
from app.web.marks import person_only
from app.web.negotiation import render_page
from app.web.pages.settings_pages import render_refused_change

blueprint = Blueprint("profile", __name__)
_PAGE, _TEMPLATE = "/account/profile", "accounts/profile.html"


@blueprint.get("/account")
@person_only
def settings(_who: Person) -> AnyResponse:
    """Lead to the first of the settings pages."""
    return redirect(_PAGE, 303)


@blueprint.get(_PAGE)
@person_only
def profile(who: Person) -> Response:
    """Show the username and the e-mail."""
    own = lookup.profile(who.id)
    form = ProfileForm(formdata=None, data={"username": own.username, "email": own.email or ""})
    return render_page(_TEMPLATE, form=form, **_context(who))


@blueprint.post(_PAGE)
@person_only(limit=limits.CONFIRMATION)
def change_profile(who: Person) -> AnyResponse:
    """Change the username, the e-mail or both."""
    form = parse_form(ProfileForm)
    before = lookup.profile(who.id)
    try:
        fields = form.values()
        changed = profile_change.change_profile(actor(who), **fields)
    except AccountError as error:
        return render_refused_change(error, _TEMPLATE, form, **_context(who))
    update_username(changed.username)
    if changed.pending_email is not None and changed.pending_email == fields.get("email"):
        told = _("We have sent a mail to %(email)s. Your e-mail changes once you confirm it there.")
        flash(told % {"email": changed.pending_email}, "success")
    elif changed == before:
        flash(_("Nothing has changed: this is what your account had already."), "success")
    else:
        flash(_("Your changes are saved."), "success")
    return redirect(_PAGE, 303)


def _context(who: Person) -> dict[str, Any]:
    return {
        "profile": lookup.profile(who.id),
        "own_language": language_of(who.id) or AUTOMATIC,
        "has_password": lookup.has_password(who.id),
        "providers": login_methods.providers(who.id),
    }
