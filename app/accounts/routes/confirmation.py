"""The page on which a person without a password confirms a change by the code of a mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import lookup
from app.core.errors import AccountError
from app.limits import declared as limits
from app.limits.rules import count_mail_request
from app.proof import mailed_code
from app.proof.forms import CodeForm
from app.web.access import Person, actor
from app.web.browser.own_outbox import mail_state
from app.web.forms import parse_form
from app.web.marks import person_only
from app.web.negotiation import local_path, origin, render_page
from app.web.pages.settings_pages import render_refused_change

blueprint = Blueprint("confirmation", __name__)
_PAGE, _TEMPLATE = "/account/confirm", "accounts/confirm.html"


@blueprint.get(_PAGE)
@blueprint.get(f"{_PAGE}/send", endpoint="back")
@person_only
def ask(who: Person) -> Response:
    """Ask for the code."""
    return render_page(_TEMPLATE, form=CodeForm(formdata=None), **_context(who, request.args))


@blueprint.post(f"{_PAGE}/send")
@person_only(limit=limits.OWN_MAIL)
def send(who: Person) -> AnyResponse:
    """Mail a code."""
    try:
        count_mail_request(origin().address)
        mailed_code.send_code(actor(who))
    except AccountError as error:
        form = CodeForm(formdata=None)
        return render_refused_change(error, _TEMPLATE, form, **_context(who, request.form))
    return render_page(_TEMPLATE, form=CodeForm(formdata=None), **_context(who, request.form))


@blueprint.post(_PAGE)
@person_only(limit=limits.CONFIRMATION)
def confirm(who: Person) -> AnyResponse:
    """Count the code as a proof, and lead back to the change."""
    form = parse_form(CodeForm)
    try:
        mailed_code.confirm_by_code(actor(who), form.values()["code"])
    except AccountError as error:
        return render_refused_change(error, _TEMPLATE, form, **_context(who, request.form))
    flash(_("You have confirmed that it is you. Go on within 10 minutes."), "success")
    return redirect(local_path(request.form.get("next"), "/account/password"), 303)


def _context(who: Person, sent: Mapping[str, str]) -> dict[str, Any]:
    return {
        "profile": lookup.profile(who.id),
        "next": local_path(sent.get("next"), "/account/password"),
        "mail_state": mail_state(),
    }
