"""The signed-in person's page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import registration, sessions, social, users
from app.accounts.errors import AccountError
from app.config import settings
from app.errors import refused
from app.forms import ConfirmationForm, FirstPasswordForm, PasswordForm, ProfileForm, read
from app.guards import Person, person_only, renamed, sign_out
from app.negotiation import page

blueprint = Blueprint("account", __name__, url_prefix="/account")


@blueprint.get("")
@person_only
def account(who: Person) -> Response:
    """Show the profile, the sessions and what can be done about them."""
    return page("account.html", **_context(who))


@blueprint.post("")
@person_only
def change_profile(who: Person) -> AnyResponse:
    """Change the username, the e-mail or both."""
    form = read(ProfileForm)
    try:
        profile = registration.change_profile(who.id, **form.values())
    except AccountError as error:
        return refused(error, "account.html", form, **_context(who, profile_form=form))
    renamed(profile.username)
    flash("Your changes are saved.", "success")
    return redirect("/account", 303)


@blueprint.post("/password")
@person_only
def change_password(who: Person) -> AnyResponse:
    """Change the password, and every other session ends; or set the first one."""
    if not users.has_password(who.id):
        return _set_first_password(who)
    form = read(PasswordForm, own_words=users.own_words(who.id))
    try:
        registration.change_password(who.id, **form.values(), keep_session=who.session_id)
    except AccountError as error:
        return refused(error, "account.html", form, **_context(who, password_form=form))
    flash("Your password is changed. Everywhere else you are signed out.", "success")
    return redirect("/account", 303)


@blueprint.post("/sessions/<int(max=2147483647):session_id>/end")
@person_only
def end_session(who: Person, session_id: int) -> AnyResponse:
    """Sign out one of the own sessions."""
    sessions.revoke(who.id, session_id)
    if session_id == who.session_id:
        sign_out()
        return redirect("/", 303)
    flash("That session is signed out.", "success")
    return redirect("/account", 303)


@blueprint.post("/delete")
@person_only
def delete(who: Person) -> AnyResponse:
    """Delete the account."""
    form = read(ConfirmationForm)
    try:
        registration.delete_own(who.id, **form.values())
    except AccountError as error:
        return refused(error, "account.html", form, **_context(who, delete_form=form))
    sign_out()
    flash("Your account is deleted.", "success")
    return redirect("/", 303)


def _set_first_password(who: Person) -> AnyResponse:
    form = read(FirstPasswordForm, own_words=users.own_words(who.id))
    try:
        registration.set_first_password(who.id, **form.values(), session_id=who.session_id)
    except AccountError as error:
        return refused(error, "account.html", form, **_context(who, password_form=form))
    flash("Your password is set: it logs you in as well from now on.", "success")
    return redirect("/account", 303)


def _context(who: Person, **forms: Any) -> dict[str, Any]:
    """What the page shows; a form that was refused stands as it was sent."""
    profile = users.profile(who.id)
    now = {"username": profile.username, "email": profile.email or ""}
    has_password = users.has_password(who.id)
    unsent = {
        "profile_form": ProfileForm(formdata=None, data=now),
        "password_form": (PasswordForm if has_password else FirstPasswordForm)(formdata=None),
        "delete_form": ConfirmationForm(formdata=None),
    }
    identities = social.identities(who.id)
    providers = settings().providers
    shown = {
        "profile": profile,
        "sessions": sessions.list_sessions(who.id, who.session_id),
        "identities": identities,
        "providers": providers,
        "ways_in": has_password + sum(own.provider in providers for own in identities),
        "has_password": has_password,
        "recent": has_password or sessions.is_recent(who.session_id),
    }
    return shown | unsent | forms
