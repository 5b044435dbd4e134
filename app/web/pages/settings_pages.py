"""The settings of an account: what their pages have in common."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.core.errors import AccountError, EmailTakenError, TokenRevokedError, UsernameTakenError
from app.text import _l
from app.web.errors.problems import render_refusal
from app.web.forms import BaseForm

# Without "or log in": the reader is logged in.
_TAKEN = {
    "username": _l("That username is taken. Try another."),
    "email": _l("That e-mail already has an account. Use another e-mail."),
}


def render_refused_change(
    error: AccountError, template: str, form: BaseForm, **context: Any
) -> Response:
    """Show a logged-in person the form again, with why the change was refused.

    Raises:
        TokenRevokedError: the session has ended: the person is led to the login.

    """
    if isinstance(error, TokenRevokedError):
        raise error
    if isinstance(error, UsernameTakenError | EmailTakenError):
        error.errors = {name: [_TAKEN[name]] for name in error.errors}
    return render_refusal(error, template, form, **context)
