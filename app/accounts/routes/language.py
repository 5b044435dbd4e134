"""The language of a logged-in person."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.forms import LanguageForm
from app.accounts.language import set_language
from app.web import i18n
from app.web.access import Person
from app.web.forms import parse_form
from app.web.marks import person_only

blueprint = Blueprint("language", __name__)


@blueprint.post("/account/language")
@person_only(unlimited="changes no more than how the person's own pages read")
def change_language(who: Person) -> AnyResponse:
    """Keep the language in the account; it counts from this response on."""
    code = parse_form(LanguageForm).code()
    set_language(who.id, code)
    response = redirect("/account/profile", 303)
    i18n.use(code, response)
    flash(_("Your changes are saved."), "success")
    return response


@blueprint.get("/account/language")
@person_only
def form(_who: Person) -> AnyResponse:
    """Lead to the page that has the form."""
    return redirect("/account/profile", 303)
