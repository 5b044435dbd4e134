"""The page on which a person deletes the account."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import deletion, login_methods, lookup
from app.core.errors import AccountError
from app.limits import declared as limits
from app.proof.forms import DeletionForm
from app.web.access import Person, actor, log_out_browser
from app.web.forms import parse_form
from app.web.marks import person_only
from app.web.negotiation import render_page
from app.web.pages.settings_pages import render_refused_change

blueprint = Blueprint("deletion", __name__)
_PAGE, _TEMPLATE = "/account/delete", "accounts/delete.html"


@blueprint.get(_PAGE)
@person_only
def ask(who: Person) -> Response:
    """Say what deleting the account means, and ask for confirmation."""
    return render_page(_TEMPLATE, form=DeletionForm(formdata=None), **_context(who))


@blueprint.post(_PAGE)
@person_only(limit=limits.CONFIRMATION)
def delete(who: Person) -> AnyResponse:
    """Delete the account."""
    form = parse_form(DeletionForm, own_username=lookup.profile(who.id).username)
    try:
        deletion.delete_own(actor(who), form.password())
    except AccountError as error:
        return render_refused_change(error, _TEMPLATE, form, **_context(who))
    log_out_browser()
    flash(_("Your account is deleted."), "success")
    return redirect("/", 303)


def _context(who: Person) -> dict[str, Any]:
    return {
        "profile": lookup.profile(who.id),
        "has_password": lookup.has_password(who.id),
        "providers": login_methods.providers(who.id),
    }
