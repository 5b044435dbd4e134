"""The page of a form once more, where the view that the form is for may not run, or failed.

What answers is the page at the same address, which a GET would show and which changes nothing. Its
form takes what was typed, but no password, and says why it was not accepted (`BaseForm`).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import current_app, flash, g, redirect, request
from flask_babel import gettext as _
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from app.core.errors import AccountError, FormOutdatedError
from app.web.negotiation import local_path

# A form that has no other field is a button, perhaps with the password that confirms it.
_OF_A_BUTTON = {"csrf_token", "next", "current_password"}


def instead_of_form(error: FormOutdatedError, *, logged_in: bool) -> Response:
    """Answer a form that another login of this browser made outdated, without its view.

    Raises:
        FormOutdatedError: there is no page at the form's address.

    """
    try:
        response = _page_again(error)
    except HTTPException:
        raise error from None
    if response.status_code == HTTPStatus.SEE_OTHER and logged_in and _is_button():
        told = _("You logged in or out in another tab meanwhile. Press the button once more.")
        flash(told, "error")
    return response


def after_failure(error: AccountError) -> Response | None:
    """The page of a form whose view failed; None: it has none, or that fails as well."""
    if request.method != "POST":
        return None
    try:
        response = _page_again(error)
    except (AccountError, HTTPException, SQLAlchemyError):
        return None
    return response if response.status_code == error.status else None


def _page_again(error: AccountError) -> Response:
    g.refused_form = error, request.form.to_dict() if _is_from_here() else {}
    onward = request.form.get("next")
    if onward is not None:  # a hidden field of the form, an argument of its page
        request.args = ImmutableMultiDict({**request.args.to_dict(), "next": local_path(onward)})
    endpoint, arguments = current_app.create_url_adapter(request).match(method="GET")  # type: ignore[union-attr]
    view: Any = current_app.view_functions[endpoint]
    response = current_app.make_response(view(**arguments))
    if response.status_code != HTTPStatus.OK:
        return response
    if "refused_form" in g:  # no form took it: there is none on the page
        return redirect(request.full_path.removesuffix("?"), 303)
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _is_from_here() -> bool:
    """Whether a page of this service sent the form, so that another cannot fill ours in."""
    sender = request.headers.get("Origin")
    is_ours = sender is None or sender.endswith(f"://{request.host}")
    return is_ours or request.headers.get("Sec-Fetch-Site") == "same-origin"


def _is_button() -> bool:
    return request.form.keys() <= _OF_A_BUTTON
