"""Accounts in the token API."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from flask import Response

from app.accounts import deletion, login, lookup, password_change, profile_change
from app.accounts.forms import LoginForm, PasswordForm, ProfileForm
from app.accounts.lookup import Profile
from app.config import settings
from app.limits import declared as limits
from app.proof.forms import ConfirmationForm
from app.sessions.tokens import AccessToken
from app.web.access import actor
from app.web.errors import simplejwt
from app.web.forms import parse_form
from app.web.marks import bearer_only, public
from app.web.negotiation import json_response, origin

blueprint = simplejwt.blueprint


@blueprint.post("/login")
@public(limit=limits.LOGIN)
def log_in() -> Response:
    """Open a session and hand out its pair of tokens."""
    fields = parse_form(LoginForm).values()
    grant = login.log_in(fields["username"], fields["password"], origin())
    return json_response({"refresh": grant.refresh_token, "access": grant.access_token})


@blueprint.get("/me")
@bearer_only
def me(access: AccessToken) -> Response:
    """Show the own account."""
    return json_response(_shown(lookup.profile(access.user_id)))


@blueprint.patch("/me")
@bearer_only(limit=limits.CONFIRMATION)
def change_me(access: AccessToken) -> Response:
    """Change the own username, e-mail or both."""
    fields = parse_form(ProfileForm).values()
    return json_response(_shown(profile_change.change_profile(actor(access), **fields)))


@blueprint.delete("/me")
@bearer_only(limit=limits.CONFIRMATION)
def delete_me(access: AccessToken) -> Response:
    """Delete the own account."""
    deletion.delete_own(actor(access), **parse_form(ConfirmationForm).values())
    return Response(status=204)


@blueprint.post("/password")
@bearer_only(limit=limits.CONFIRMATION)
def change_password(access: AccessToken) -> Response:
    """Change the own password; every other session ends."""
    form = parse_form(PasswordForm, own_words=partial(lookup.own_words, access.user_id))
    password_change.change_password(actor(access), **form.values())
    return json_response({})


def _shown(profile: Profile) -> dict[str, Any]:
    shown = asdict(profile)
    if settings().email_verification == "optional":
        del shown["pending_email"]
    return simplejwt.timed(shown)
