"""Refusals: problem details (RFC 9457) for programs, a page for people."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from perpustakaan import loguserapp
from perpustakaan.config import MAX_BODY_BYTES
from perpustakaan.database import db

log = logging.getLogger("perpustakaan")

# Addresses that programs ask; all others are pages.
_FOR_PROGRAMS = ("/api/", "/openapi.json", "/healthz", "/readyz")
_RETRY_AFTER = "5"

_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}

# The sentences of refusals that Flask and Werkzeug raise.
_DETAILS = {
    404: _l("There is nothing at this address."),
    405: _l("This address does not take this method."),
    413: _l("The body is larger than %(size)s KiB.", size=MAX_BODY_BYTES // 1024),
    415: _l("Send a form or JSON."),
    500: _l("Something went wrong here."),
}
_REFUSED = _l("The request cannot be understood.")

# The sentences of the kit.
_TOKEN_DETAILS = {
    "token_missing": _l("An access token is required."),
    "token_invalid": _l("The access token is invalid."),
    "token_expired": _l("The access token has expired."),
    "token_revoked": _l("The access token has been revoked."),
    "service_unavailable": _l("The login service cannot be reached."),
}


class Problem(Exception):
    """A request is refused.

    Args:
        status: the status of HTTP.
        code: for programs; never changes.
        detail: a sentence for people, in their language once it becomes text.
        errors: for a 400, the sentences by field.

    """

    def __init__(
        self, status: int, code: str, detail: object, errors: dict[str, list[Any]] | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors or {}

    @property
    def title(self) -> str:
        """The name of the status."""
        return HTTPStatus(self.status).phrase


class Invalid(Problem):
    """Fields are wrong; `errors` names each with what is wrong with it."""

    def __init__(self, errors: dict[str, list[Any]]) -> None:
        super().__init__(400, "validation_error", _l("Some fields are wrong."), errors)


class NotFound(Problem):
    """What was asked for is not there, or not for this reader."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", _DETAILS[404])


class Forbidden(Problem):
    """The reader is no librarian."""

    def __init__(self) -> None:
        super().__init__(403, "forbidden", _l("Only a librarian may do this."))


class Conflict(Problem):
    """The request is right, but not in the present state; `code` says why."""

    def __init__(
        self, code: str, detail: object, errors: dict[str, list[Any]] | None = None
    ) -> None:
        super().__init__(409, code, detail, errors)


class Unavailable(Problem):
    """loguserapp or the database is away."""

    def __init__(self) -> None:
        super().__init__(
            503, "service_unavailable", _l("The service is not available now. Try again soon.")
        )


def init_app(app: Flask) -> None:
    """Answer every error with a problem."""
    app.register_error_handler(Problem, respond)
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(loguserapp.Refused, _on_token)
    for away in (OperationalError, InterfaceError, InternalError, PoolTimeout):
        app.register_error_handler(away, _on_database)
    app.register_error_handler(Exception, _on_bug)


def respond(problem: Problem) -> Response:
    """Answer with a problem: as JSON to a program, else as the page `problem.html`."""
    if request.path.startswith(_FOR_PROGRAMS):
        answer = jsonify(_document(problem))
        answer.content_type = "application/problem+json"
    else:
        answer = make_response(render_template("problem.html", problem=problem))
    answer.status_code = problem.status
    answer.headers["Cache-Control"] = "no-store"
    if problem.status == 503:
        answer.headers["Retry-After"] = _RETRY_AFTER
    return answer


def _document(problem: Problem) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": str(problem.detail),
        "code": problem.code,
    }
    if problem.errors:
        document["errors"] = {
            field: [str(each) for each in found] for field, found in problem.errors.items()
        }
    return document


def _on_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return Response(error.get_response().get_data(), status, error.get_headers())
    code = _CODES.get(status, HTTPStatus(status).phrase.lower().replace(" ", "_"))
    answer = respond(Problem(status, code, _DETAILS.get(status, _REFUSED)))
    if "Allow" in (headers := dict(error.get_headers())):
        answer.headers["Allow"] = headers["Allow"]
    return answer


def _on_token(refused: loguserapp.Refused) -> Response:
    """Answer as the kit does, in the language of the request."""
    as_kit = loguserapp.problem(refused.code)
    answer = respond(Problem(as_kit.status_code, refused.code, _TOKEN_DETAILS[refused.code]))
    if challenge := as_kit.headers.get("WWW-Authenticate"):
        answer.headers["WWW-Authenticate"] = challenge
    return answer


def _on_database(error: Exception) -> Response:
    log.warning("the database is away: %r", getattr(error, "orig", error))
    db.session.rollback()
    return respond(Unavailable())


def _on_bug(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return respond(Problem(500, "internal_error", _DETAILS[500]))
