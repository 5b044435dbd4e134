"""The logged-in person's page."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, flash, redirect
from werkzeug.wrappers import Response as AnyResponse

from app import account_page
from app.accounts import registration, sessions, users
from app.accounts.errors import AccountError
from app.forms import ConfirmationForm, FirstPasswordForm, PasswordForm, ProfileForm, read
from app.guards import Person, asking, person_only, renamed, sign_out

blueprint = Blueprint("account", __name__, url_prefix="/account")


@blueprint.get("")
@person_only
def account(who: Person) -> AnyResponse:
    """Show the profile, the sessions and what can be done about them."""
    return account_page.show(who)


@blueprint.post("")
@person_only
def change_profile(who: Person) -> AnyResponse:
    """Change the username, the e-mail or both."""
    form = read(ProfileForm)
    try:
        profile = registration.change_profile(asking(who), **form.values())
    except AccountError as error:
        return account_page.show_refused(who, error, "profile_form", form)
    renamed(profile.username)
    flash("Your changes are saved.", "success")
    return redirect("/account", 303)


@blueprint.post("/password")
@person_only
def change_password(who: Person) -> AnyResponse:
    """Change the password, and every other session ends; or set the first one."""
    if not users.has_password(who.id):
        return _set_first_password(who)
    form = read(PasswordForm, own_words=partial(users.own_words, who.id))
    try:
        registration.change_password(asking(who), **form.values())
    except AccountError as error:
        return account_page.show_refused(who, error, "password_form", form)
    flash("Your password is changed. You are logged out everywhere else.", "success")
    return redirect("/account", 303)


@blueprint.post("/sessions/<int(max=2147483647):session_id>/end")
@person_only
def end_session(who: Person, session_id: int) -> AnyResponse:
    """End one of the own sessions."""
    sessions.revoke(who.id, session_id)
    if session_id == who.session_id:
        sign_out()
        return redirect("/", 303)
    flash("That device is logged out.", "success")
    return redirect("/account", 303)


@blueprint.post("/delete")
@person_only
def delete(who: Person) -> AnyResponse:
    """Delete the account."""
    form = read(ConfirmationForm)
    try:
        registration.delete_own(asking(who), **form.values())
    except AccountError as error:
        return account_page.show_refused(who, error, "delete_form", form)
    sign_out()
    flash("Your account is deleted.", "success")
    return redirect("/", 303)


def _set_first_password(who: Person) -> AnyResponse:
    form = read(FirstPasswordForm, own_words=partial(users.own_words, who.id))
    try:
        registration.set_first_password(asking(who), **form.values())
    except AccountError as error:
        return account_page.show_refused(who, error, "password_form", form)
    flash("Your password is set: you can log in with it as well.", "success")
    return redirect("/account", 303)
