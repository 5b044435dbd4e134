"""What is recorded, with which fields, and that the documentation says the same."""

from __future__ import annotations

import ast
import json
import logging
import re
from io import StringIO
from typing import Any, get_args

import pytest
from flask import Flask

from app import audit
from app.audit import Event, Fault, Fields
from app.audit.events import Outcome
from app.web.logs.formatter import JsonFormatter
from tests.support.environment import ROOT

EVERYTHING = [*Event, *Fault]
PAGE = (ROOT / "docs" / "logs" / "README.md").read_text()
SOURCES = {path: path.read_text() for path in sorted((ROOT / "app").rglob("*.py"))}
# Those who make the log, and one who makes a library silent.
LOGGING = {"app/audit/recording.py", "app/web/logs/formatter.py", "app/core/engines/mysql_pool.py"}


@pytest.mark.parametrize("event", EVERYTHING, ids=lambda event: event.value)
def test_a_name_is_a_noun_and_what_happened(event: Event | Fault) -> None:
    participle = r"([a-z]+_)?[a-z]+ed|sent|reset|given_up|taken_back"
    assert re.fullmatch(rf"[a-z]+(_[a-z]+)*\.({participle})", event.value)
    assert event.name == event.value.replace(".", "_").upper()


@pytest.mark.parametrize("event", EVERYTHING, ids=lambda event: event.value)
def test_an_event_declares_known_fields_and_an_outcome(event: Event | Fault) -> None:
    assert event.fields <= Fields.__annotations__.keys()
    assert event.outcome in get_args(Outcome)
    assert (event.level == logging.INFO) is (event.outcome == "success")


@pytest.mark.parametrize("event", EVERYTHING, ids=lambda event: event.value)
def test_an_event_is_recorded_somewhere(event: Event | Fault) -> None:
    name = f"{type(event).__name__}.{event.name}"
    assert [path for path, text in SOURCES.items() if re.search(rf"\b{name}\b", text)]


@pytest.mark.parametrize("field", ["password", "kid", "email", "user"])
def test_a_field_that_the_event_does_not_declare_is_refused(
    field: str, caplog: pytest.LogCaptureFixture
) -> None:
    fields: dict[str, Any] = {"user_id": 7, field: "secret"}
    with pytest.raises(TypeError, match=rf"login.failed does not declare {field}$"):
        audit.record(Event.LOGIN_FAILED, **fields)
    assert caplog.text == ""


def test_a_line_says_what_happened_to_whom_and_where(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(JsonFormatter())
    environ = {"REMOTE_ADDR": "192.0.2.1", "loguserapp.request_id": "0f3c"}
    with app.test_request_context(environ_base=environ):
        audit.record(Event.PASSWORD_CHECK_FAILED, user_id=7, session_id=9)
    line = json.loads(caplog.text)
    assert line.pop("time")
    assert line == {
        "level": "warning",
        "logger": "loguserapp.audit",
        "event": "password.check_failed",
        "user_id": 7,
        "session_id": 9,
        "outcome": "failure",
        "address": "192.0.2.1",
        "request_id": "0f3c",
    }


def test_a_fault_is_none_of_the_audit_trail(caplog: pytest.LogCaptureFixture) -> None:
    audit.record(Fault.DATABASE_FAILED, error="OperationalError 2003")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("loguserapp.service", "ERROR")


def test_a_name_of_a_person_cannot_begin_a_line() -> None:
    text = StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    facts = {"provider": 'google\r\n{"event": "forged"}'}
    record = logging.LogRecord("loguserapp.audit", logging.INFO, "", 0, "a\nb", None, None)
    vars(record)["facts"] = facts
    handler.emit(record)
    assert len(text.getvalue().splitlines()) == 1
    assert json.loads(text.getvalue())["provider"] == facts["provider"]


def test_nothing_is_logged_past_the_events() -> None:
    others = {
        str(path.relative_to(ROOT))
        for path, text in SOURCES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr == "getLogger"
    }
    assert others == LOGGING


def test_the_documentation_lists_every_event_with_its_outcome_and_fields() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \| ([^|]+) \| .+ \|$", PAGE, re.MULTILINE)
    listed = [(name, outcome, fields(text)) for name, outcome, text in rows if "." in name]
    assert listed == [(event.value, event.outcome, event.fields) for event in Event]


def test_the_documentation_lists_every_fault_with_its_fields() -> None:
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (`[^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert [(name, fields(text)) for name, text in rows] == [
        (fault.value, fault.fields) for fault in Fault
    ]


def fields(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"`(\w+)`", text))


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture(autouse=True)
def everything_is_captured(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    caplog.set_level(logging.INFO)
