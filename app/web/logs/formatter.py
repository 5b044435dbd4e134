"""The log: one JSON line for each event, with who, from where and in which request."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import has_request_context, request

from app.core.environ import REQUEST_ID
from app.web.http.flask_app import Application
from app.web.logs.throttle import RepeatFilter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from app.web.http.flask_app import Headers


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON; text from outside cannot begin a new one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        extra = vars(record)
        line |= extra.get("facts", {})  # of `audit.record`, which knows what each event may carry
        if "repeated" in extra:
            line |= {"repeated": extra["repeated"], "address": extra["address"]}
        elif has_request_context():
            line |= {"address": request.remote_addr, "request_id": request.environ.get(REQUEST_ID)}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def init_app(app: Application) -> None:
    """Send the log to standard error, and tell every client the number of its request."""
    logger = logging.getLogger("loguserapp")
    for target in (logger, logging.getLogger("app")):
        if not target.handlers:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(JsonFormatter())
            handler.addFilter(RepeatFilter(handler.handle))
            target.addHandler(handler)
        target.setLevel(logging.INFO)
        target.propagate = app.testing
    app.response_hooks.append(_show_number)


def _show_number(environ: WSGIEnvironment, _status: str, headers: Headers) -> None:
    headers.append(("X-Request-Id", environ[REQUEST_ID]))
