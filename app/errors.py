"""Every refusal as one shape: problem+json (RFC 9457) for programs, a page for people."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app.accounts.errors import AccountError
from app.forms import Fields
from app.negotiation import data, is_browser, page, request_id

_log = logging.getLogger(__name__)
_audit = logging.getLogger("loguserapp.audit")

# The status of every code that the account rules know.
_STATUS = {
    "validation_error": 400,
    "invalid_grant": 400,
    "sign_in_stale": 400,
    "invalid_credentials": 401,
    "token_missing": 401,
    "token_invalid": 401,
    "token_expired": 401,
    "token_revoked": 401,
    "wrong_password": 403,
    "account_disabled": 403,
    "registration_closed": 403,
    "reauthentication_required": 403,
    "provider_declined": 403,
    "not_found": 404,
    "username_taken": 409,
    "email_taken": 409,
    "connect_needed": 409,
    "identity_taken": 409,
    "last_way_in": 409,
    "password_set": 409,
    "too_many_requests": 429,
    "provider_fault": 502,
    "provider_timeout": 504,
    "provider_busy": 503,
    "service_unavailable": 503,
}
# The code of every status that has no more to say than itself.
_CODES = {
    400: "bad_request",
    401: "token_missing",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "content_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
    503: "service_unavailable",
}
_DETAILS = {
    404: "There is nothing at this address. Check it, or begin at the home page.",
    403: "Another site's page sent this. Send it from a page of this service.",
    408: "The request took too long to arrive. Send it again.",
    413: "The request is too large. Send at most 64 KiB.",
    500: "Something broke on our side. It has been noted; try again, or tell whoever runs this.",
    503: "The database does not answer just now. Nothing was lost; try again in a few seconds.",
}
# Python before 3.13 knows 413 by its former name.
_TITLES = {413: "Content Too Large"}
# What a page says in large letters; a program gets the phrase of the status.
_HEADINGS = {
    400: "That did not come through",
    401: "Log in first",
    403: "That is not for you",
    404: "There is nothing here",
    405: "This address does something else",
    408: "That took too long to arrive",
    413: "That is too large",
    415: "That kind of content is not read here",
    429: "That was too often",
    500: "Something broke on our side",
    503: "Back in a moment",
}
_CSRF = "This page and your cookie do not belong together. Reload the page and send it again."
RETRY_SECONDS = 5


def status_of(error: AccountError) -> int:
    """The HTTP status of a refusal."""
    return _STATUS[error.code]


def problem(
    status: int,
    code: str,
    detail: str,
    /,
    *,
    errors: dict[str, list[str]] | None = None,
    retry_after: int | None = None,
    **more: Any,
) -> Response:
    """Answer with a refusal, as a page or as problem+json.

    Args:
        status: HTTP status.
        code: stable name that programs compare.
        detail: what happened and what to do next.
        errors: messages by field name.
        retry_after: seconds, for the header of that name.
        more: further members of the JSON object; those above have precedence.

    """
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    if is_browser():
        g.setdefault("person", None)  # asking anew could fail as the request did
        response = page(
            "error.html",
            status,
            status=status,
            title=_HEADINGS.get(status, title),
            detail=detail,
            request_id=request_id(),
        )
    else:
        members = {"type": "about:blank", "title": title, "status": status}
        members |= {"detail": detail, "code": code} | ({"errors": errors} if errors else {})
        response = data(more | members, status)
        response.content_type = "application/problem+json"
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return with_challenge(response, code)


def with_challenge(response: Response, code: str) -> Response:
    """Give a 401 its WWW-Authenticate: bare without a token, with the error else (RFC 6750 §3)."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        bad_token = code.startswith("token_") and code != "token_missing"
        response.headers["WWW-Authenticate"] = (
            'Bearer error="invalid_token"' if bad_token else "Bearer"
        )
    return response


def of_account_error(error: AccountError) -> Response:
    """Answer a refusal of the account rules."""
    if status_of(error) == HTTPStatus.SERVICE_UNAVAILABLE:
        _audit.warning("busy", extra={"error": type(error).__name__, "outcome": "refused"})
    return problem(
        status_of(error),
        error.code,
        error.detail,
        errors=error.errors,
        retry_after=error.retry_after,
    )


def refused(error: AccountError, template: str, form: Fields, **context: Any) -> Response:
    """Show a person the form again with what is wrong; a program gets the error as it is."""
    if not is_browser() or error.retry_after is not None:
        raise error
    form.show(error)
    response = page(template, status_of(error), form=form, **context)
    return with_challenge(response, error.code)


def init_app(app: Flask) -> None:
    """Let the application answer every failure in this shape."""
    app.register_error_handler(AccountError, of_account_error)
    app.register_error_handler(CSRFError, lambda _: problem(400, "csrf_failed", _CSRF))
    app.register_error_handler(HTTPException, of_http_error)
    for failure in (OperationalError, InterfaceError, PoolTimeoutError):
        app.register_error_handler(failure, _of_database_failure)
    app.register_error_handler(DBAPIError, _of_database_error)
    app.register_error_handler(Exception, _of_fault)


def of_http_error(error: HTTPException) -> Response:
    """Answer a refusal of Flask's or Werkzeug's."""
    status = error.code or 500
    if status < HTTPStatus.BAD_REQUEST:  # a redirect made by the router
        return Response(error.get_response().get_data(), status, error.get_headers())
    detail = error.description if status in (400, 415) else _DETAILS.get(status)
    if isinstance(error, MethodNotAllowed):
        detail = f'Method "{request.method}" not allowed.'
    response = problem(
        status, _CODES.get(status, "error"), detail or HTTPStatus(status).description
    )
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _of_database_failure(error: Exception) -> Response:
    # MySQL's number says which fault it is: 1045 is a wrong password, 1114 a full disk.
    number = next(iter(getattr(getattr(error, "orig", None), "args", ())), "")
    fault = f"{type(error).__name__} {number}".strip()
    _log.error("the database fails", extra={"error": fault, "outcome": "failure"})
    return problem(503, _CODES[503], _DETAILS[503], retry_after=RETRY_SECONDS)


def _of_database_error(error: DBAPIError) -> Response:
    return _of_database_failure(error) if error.connection_invalidated else _of_fault(error)


def _of_fault(error: Exception) -> Response:
    _log.error("unexpected error", exc_info=error)
    return problem(500, _CODES[500], _DETAILS[500])
