"""The log: one JSON line for each event, with who, from where and in which request."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request

_FACTS = ("user_id", "session_id", "kid", "outcome", "error")


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
        line |= {name: vars(record)[name] for name in _FACTS if name in vars(record)}
        if has_request_context():
            line |= {"address": request.remote_addr, "request_id": g.get("request_id")}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def init_app(app: Flask) -> None:
    """Send the log to standard error, and give every request a number."""
    logger = logging.getLogger("loguserapp")
    for target in (logger, logging.getLogger("app")):
        if not target.handlers:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(JsonFormatter())
            target.addHandler(handler)
        target.setLevel(logging.INFO)
        target.propagate = app.testing
    app.before_request(_number)
    app.after_request(_show_number)


def _number() -> None:
    g.request_id = uuid.uuid4().hex


def _show_number(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    return response
