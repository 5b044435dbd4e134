"""Every refusal as one shape: problem+json (RFC 9457) for programs, a page for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from app import audit
from app.audit import Event, Fault
from app.core.errors import (
    AccountError,
    ServiceUnavailableError,
    TokenRevokedError,
    fault_name,
)
from app.text import _l
from app.web.access import ask_to_log_in, forget_ended_login
from app.web.errors import shown_again
from app.web.forms import BaseForm
from app.web.negotiation import is_browser, json_response, render_page, request_id

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
    400: _l("The request could not be read. Check its body and headers."),
    401: _l("Log in to go on."),
    404: _l("There is nothing at this address. Check it, or begin at the home page."),
    403: _l("Another site's page sent this. Send it from a page of this service."),
    408: _l("The request took too long to arrive. Send it again."),
    413: _l("The request is too large. Send at most 64 KiB."),
    500: _l(
        "Something broke on our side. It has been noted; try again, or tell whoever runs this."
    ),
    503: _l("The database does not answer just now. Nothing was lost; try again in a few seconds."),
}
# Python before 3.13 knows 413 by its former name.
_TITLES = {413: "Content Too Large"}
# What a page says in large letters, by code or status; a program gets the phrase of the status.
_HEADINGS: dict[str | int, str] = {
    "csrf_failed": _l("The form was out of date"),
    400: _l("This request cannot be read"),
    401: _l("Log in first"),
    403: _l("You are not allowed to do that"),
    404: _l("There is nothing here"),
    405: _l("This page cannot be opened directly"),
    408: _l("The request took too long to arrive"),
    413: _l("What you sent is too large"),
    415: _l("This kind of content is not accepted"),
    429: _l("Too many tries"),
    500: _l("Something broke on our side"),
    503: _l("Back in a moment"),
}
# What a page says in place of `detail`, by code.
_SHOWN = {
    "method_not_allowed": _l("You reach it by pressing a button on another page."),
    "internal_error": _l(
        "Try again. If it happens again, tell the person who runs this service, and give the "
        "number below."
    ),
}
_NOT_OPENED = _l("We cannot open this just now. Try again in a few seconds.")
RETRY_SECONDS = 5


class NotSavedError(ServiceUnavailableError):
    """What a page's form says when the database failed."""

    detail = _l("We cannot save this just now. Try again in a few seconds.")
    retry_after = RETRY_SECONDS


def problem(
    status: int,
    code: str,
    detail: str,
    /,
    *,
    errors: dict[str, list[str]] | None = None,
    retry_after: int | None = None,
    shown: str | None = None,
    **more: Any,
) -> Response:
    """Answer with a refusal, as a page or as problem+json.

    Args:
        status: HTTP status.
        code: stable name that programs compare.
        detail: what happened and what to do next.
        errors: messages by field name.
        retry_after: seconds, for the header of that name.
        shown: what a page says in place of `detail`.
        more: further members of the JSON object; those above have precedence.

    """
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    if is_browser():
        g.setdefault("person", None)  # a second query could fail as the request did
        response = render_page(
            "web/error.html",
            status,
            status=status,
            title=_HEADINGS.get(code) or _HEADINGS.get(status, title),
            detail=shown or _SHOWN.get(code, detail),
            request_id=request_id(),
        )
    else:
        members = {"type": "about:blank", "title": title, "status": status}
        members |= {"detail": detail, "code": code} | ({"errors": errors} if errors else {})
        response = json_response(more | members, status)
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


def from_account_error(error: AccountError) -> AnyResponse:
    """Answer a refusal of the account rules."""
    if isinstance(error, TokenRevokedError) and is_browser():
        forget_ended_login()
        return ask_to_log_in()
    _record_unavailable(error)
    return problem(
        error.status,
        error.code,
        error.detail,
        errors=error.errors,
        retry_after=error.retry_after,
        shown=error.page_detail or None,
    )


def _record_unavailable(error: AccountError) -> None:
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        audit.record(Event.REQUEST_REFUSED, error=type(error).__name__)


def render_refusal(error: AccountError, template: str, form: BaseForm, **context: Any) -> Response:
    """Show a person the form again with what is wrong; a program gets the error as it is."""
    if not is_browser():
        raise error
    _record_unavailable(error)
    form.show(error)
    response = render_page(template, error.status, form=form, **context)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return with_challenge(response, error.code)


def init_app(app: Flask) -> None:
    """Answer every failure in this shape."""
    app.register_error_handler(AccountError, from_account_error)
    app.register_error_handler(HTTPException, from_http_error)
    for failure in (OperationalError, InterfaceError, PoolTimeoutError):
        app.register_error_handler(failure, _of_database_failure)
    app.register_error_handler(DBAPIError, _of_database_error)
    app.register_error_handler(Exception, _of_fault)


def from_http_error(error: HTTPException) -> Response:
    """Answer a refusal of Flask's or Werkzeug's."""
    status = error.code or 500
    if status < HTTPStatus.BAD_REQUEST:  # a redirect made by the router
        return Response(error.get_response().get_data(), status, error.get_headers())
    own_words = status in (400, 415) and error.description != type(error).description
    detail = error.description if own_words else _DETAILS.get(status)
    if isinstance(error, MethodNotAllowed):
        detail = _l('Method "%(method)s" not allowed.', method=request.method)
    response = problem(
        status, _CODES.get(status, "error"), detail or HTTPStatus(status).description
    )
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _of_database_failure(error: Exception) -> AnyResponse:
    # MySQL's number says which fault it is: 1045 is a wrong password, 1114 a full disk.
    number = next(iter(getattr(getattr(error, "orig", None), "args", ())), "")
    audit.record(Fault.DATABASE_FAILED, error=fault_name(error, number))
    if is_browser():
        page = shown_again.after_failure(NotSavedError())
        if page is not None:
            return page
    shown = _NOT_OPENED if request.method == "GET" else NotSavedError.detail
    return problem(503, _CODES[503], _DETAILS[503], retry_after=RETRY_SECONDS, shown=shown)


def _of_database_error(error: DBAPIError) -> AnyResponse:
    return _of_database_failure(error) if error.connection_invalidated else _of_fault(error)


def _of_fault(error: Exception) -> Response:
    audit.record(Fault.REQUEST_FAILED, error=type(error).__name__, exc_info=error)
    return problem(500, _CODES[500], _DETAILS[500])
