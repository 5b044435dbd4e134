"""/api/auth/: the token API, wire-compatible with djangorestframework-simplejwt.

Its routes are those of the features, which add them to this blueprint.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, current_app, request

from app.core.errors import (
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
from app.text import _l, rfc3339
from app.web.errors.problems import problem

blueprint = Blueprint("auth_api", __name__, url_prefix="/api/auth")

# What SimpleJWT says of a token that loguserapp refuses.
_TOKEN_WORDS = {
    TokenInvalidError: _l("Token is invalid"),
    TokenExpiredError: _l("Token is expired"),
    TokenWrongTypeError: _l("Token has wrong type"),
    TokenRevokedError: _l("Token is blacklisted"),
}


@blueprint.errorhandler(AccountError)
def refused(error: AccountError) -> Response:
    """Say in SimpleJWT's words what the account rules refuse, field names at the top level."""
    if isinstance(error, NotFoundError) and not request.view_args:
        error = TokenRevokedError()  # another worker has just deleted the account of this token
    code, detail, more = error.code, error.detail, dict[str, Any](error.errors)
    if isinstance(error, InvalidCredentialsError):
        detail = _l("No active account found with the given credentials")
    elif isinstance(error, TokenMissingError):
        detail = _l("Authentication credentials were not provided.")
    elif isinstance(error, TokenError):
        code, detail = "token_not_valid", _TOKEN_WORDS[type(error)]
        if _asks_for_bearer():
            fault = {"token_class": "AccessToken", "token_type": "access", "message": detail}
            detail, more["messages"] = _l("Given token not valid for any token type"), [fault]
    return problem(
        error.status, code, detail, errors=error.errors, retry_after=error.retry_after, **more
    )


def _asks_for_bearer() -> bool:
    view = current_app.view_functions[request.endpoint or ""]
    return getattr(view, "access", None) == "bearer"


def timed(values: dict[str, Any]) -> dict[str, Any]:
    """The values with every time written as RFC 3339 in UTC."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
