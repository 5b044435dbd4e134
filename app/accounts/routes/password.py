"""The page on which a person changes the password, or sets the first one."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, flash, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import login_methods, lookup, password_change
from app.accounts.forms import FirstPasswordForm, PasswordForm
from app.core.errors import AccountError, ValidationError
from app.limits import declared as limits
from app.proof import confirmation, mailed_code
from app.text import nfc
from app.web.access import Person, actor
from app.web.forms import parse_form
from app.web.marks import person_only, public
from app.web.negotiation import render_page
from app.web.pages.settings_pages import render_refused_change

blueprint = Blueprint("password", __name__)
_PAGE, _TEMPLATE = "/account/password", "accounts/password.html"


@blueprint.get("/.well-known/change-password")
@public
def well_known() -> AnyResponse:
    """Lead a password manager to the page (W3C, A Well-Known URL for Changing Passwords)."""
    return redirect(_PAGE, 303)


@blueprint.get(_PAGE)
@person_only
def password(who: Person) -> Response:
    """Show the form."""
    form = PasswordForm if lookup.has_password(who.id) else FirstPasswordForm
    return render_page(_TEMPLATE, form=form(formdata=None), **_context(who))


@blueprint.post(_PAGE)
@person_only(limit=limits.CONFIRMATION)
def change_password(who: Person) -> AnyResponse:
    """Change the password, and every other session ends; or set the first one."""
    if not lookup.has_password(who.id):
        return _set_first_password(who)
    form = parse_form(PasswordForm, own_words=partial(lookup.own_words, who.id))
    try:
        values = form.values()
        _refuse_same(**values)
        password_change.change_password(actor(who), **values)
    except AccountError as error:
        _ask_again_from_the_first_field(form)
        return render_refused_change(error, _TEMPLATE, form, **_context(who))
    flash(_("Your password is changed. You are logged out on every other device."), "success")
    return redirect(_PAGE, 303)


def _set_first_password(who: Person) -> AnyResponse:
    form = parse_form(FirstPasswordForm, own_words=partial(lookup.own_words, who.id))
    try:
        password_change.set_first_password(actor(who), **form.values())
    except AccountError as error:
        return render_refused_change(error, _TEMPLATE, form, **_context(who))
    flash(_("Your password is set. You can now log in with it as well."), "success")
    return redirect(_PAGE, 303)


def _refuse_same(current_password: str, new_password: str) -> None:
    """Refuse a change to the password that was just given as the current one."""
    if nfc(current_password) == nfc(new_password):
        message = _("The new password is the current one. Choose another.")
        raise ValidationError({"new_password": [message]})


def _ask_again_from_the_first_field(form: PasswordForm) -> None:
    """Begin at the current password: what is refused clears both fields."""
    field = form.current_password
    field.render_kw = {**(field.render_kw or {}), "autofocus": True}
    if not field.errors:
        field.description = _("Enter it once more.")


def _context(who: Person) -> dict[str, Any]:
    return {
        "profile": lookup.profile(who.id),
        "has_password": lookup.has_password(who.id),
        "providers": login_methods.providers(who.id),
        "by_mail": mailed_code.is_possible(who.id),
        "recent": confirmation.is_recent(who.session_id),
    }
