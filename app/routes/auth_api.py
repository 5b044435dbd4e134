"""/api/auth/: the token API, wire-compatible with djangorestframework-simplejwt."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, current_app, request

from app.accounts import limits, registration, sessions, social, users
from app.accounts.errors import (
    AccountError,
    InvalidCredentialsError,
    NotFoundError,
    TokenError,
    TokenExpiredError,
    TokenInvalidError,
    TokenMissingError,
    TokenRevokedError,
    TokenWrongTypeError,
)
from app.accounts.tokens import AccessToken
from app.accounts.users import Profile
from app.errors import problem, status_of
from app.forms import (
    ConfirmationForm,
    LoginForm,
    LogoutForm,
    PasswordForm,
    ProfileForm,
    RefreshForm,
    RegistrationForm,
    SocialCodeForm,
    VerifyForm,
    read,
)
from app.guards import asking, bearer_only, public
from app.negotiation import data, origin, registered, turn

blueprint = Blueprint("auth_api", __name__, url_prefix="/api/auth")

# What SimpleJWT says of a token that loguserapp refuses.
_TOKEN_WORDS = {
    TokenInvalidError: "Token is invalid",
    TokenExpiredError: "Token is expired",
    TokenWrongTypeError: "Token has wrong type",
    TokenRevokedError: "Token is blacklisted",
}


@blueprint.post("/register")
@public
def register() -> Response:
    """Make an account."""
    users.refuse_if_closed()
    fields = read(RegistrationForm).values()
    limits.count_registration(origin().address)
    return registered(registration.register(**fields, turn=turn(fields["username"])))


@blueprint.post("/login")
@public
def log_in() -> Response:
    """Open a session and hand out its pair of tokens."""
    fields = read(LoginForm).values()
    grant = sessions.log_in(fields["username"], fields["password"], origin())
    return data({"refresh": grant.refresh_token, "access": grant.access_token})


@blueprint.post("/social/token")
@public
def exchange_code() -> Response:
    """Exchange the one-time code of a social sign-in for the pair that logging in gives."""
    fields = read(SocialCodeForm).values()
    with limits.counting_bad_tokens(origin().address):
        grant = social.redeem_code(fields["code"], fields["code_verifier"], origin())
    return data({"refresh": grant.refresh_token, "access": grant.access_token})


@blueprint.post("/token/refresh")
@public
def refresh() -> Response:
    """Exchange a refresh token for the next pair."""
    token = read(RefreshForm).values()["refresh"]
    with limits.counting_bad_tokens(origin().address):
        pair = sessions.refresh(token, origin())
    return data({"access": pair.access_token, "refresh": pair.refresh_token})


@blueprint.post("/token/verify")
@public
def verify() -> Response:
    """Tell whether a token of either kind is good."""
    token = read(VerifyForm).values()["token"]
    with limits.counting_bad_tokens(origin().address):
        sessions.verify(token, origin())
    return data({})


@blueprint.post("/logout")
@public
def log_out() -> Response:
    """End the session of a refresh token, its access tokens included."""
    token = read(LogoutForm).token()
    with limits.counting_bad_tokens(origin().address):
        sessions.log_out_by_refresh(token)
    return data({})


@blueprint.get("/me")
@bearer_only
def me(access: AccessToken) -> Response:
    """Show the own account."""
    return data(_shown(users.profile(access.user_id)))


@blueprint.patch("/me")
@bearer_only
def change_me(access: AccessToken) -> Response:
    """Change the own username, e-mail or both."""
    fields = read(ProfileForm).values()
    return data(_shown(registration.change_profile(asking(access), **fields)))


@blueprint.delete("/me")
@bearer_only
def delete_me(access: AccessToken) -> Response:
    """Delete the own account."""
    registration.delete_own(asking(access), **read(ConfirmationForm).values())
    return Response(status=204)


@blueprint.post("/password")
@bearer_only
def change_password(access: AccessToken) -> Response:
    """Change the own password; every other session ends."""
    form = read(PasswordForm, own_words=partial(users.own_words, access.user_id))
    registration.change_password(asking(access), **form.values())
    return data({})


@blueprint.get("/sessions")
@bearer_only
def list_sessions(access: AccessToken) -> Response:
    """List the own sessions."""
    own = sessions.list_sessions(access.user_id, access.session_id)
    return data([_timed(asdict(session)) for session in own])


@blueprint.delete("/sessions/<int(max=2147483647):session_id>")
@bearer_only
def end_session(access: AccessToken, session_id: int) -> Response:
    """End one of the own sessions."""
    sessions.revoke(access.user_id, session_id)
    return Response(status=204)


@blueprint.errorhandler(AccountError)
def refused(error: AccountError) -> Response:
    """Say in SimpleJWT's words what the account rules refuse, field names at the top level."""
    if isinstance(error, NotFoundError) and not request.view_args:
        error = TokenRevokedError()  # another worker has just deleted the account of this token
    code, detail, more = error.code, error.detail, dict[str, Any](error.errors)
    if isinstance(error, InvalidCredentialsError):
        detail = "No active account found with the given credentials"
    elif isinstance(error, TokenMissingError):
        detail = "Authentication credentials were not provided."
    elif isinstance(error, TokenError):
        code, detail = "token_not_valid", _TOKEN_WORDS[type(error)]
        if _asks_for_bearer():
            fault = {"token_class": "AccessToken", "token_type": "access", "message": detail}
            detail, more["messages"] = "Given token not valid for any token type", [fault]
    return problem(
        status_of(error), code, detail, errors=error.errors, retry_after=error.retry_after, **more
    )


def _asks_for_bearer() -> bool:
    view = current_app.view_functions[request.endpoint or ""]
    return getattr(view, "access", None) == "bearer"


def _shown(profile: Profile) -> dict[str, Any]:
    return _timed(asdict(profile))


def _timed(values: dict[str, Any]) -> dict[str, Any]:
    """The values with every time written as RFC 3339 in UTC."""
    return {
        name: f"{value.isoformat()}Z" if isinstance(value, datetime) else value
        for name, value in values.items()
    }
