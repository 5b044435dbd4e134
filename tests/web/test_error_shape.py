"""Every failure has one shape, for a program and for a person, and tells nothing of the inside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from json import loads
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.application import BROWSER, DUMMY, bearer
from tests.support.browsing import Browser
from tests.support.databases import execute
from tests.support.http import once

INSIDE = re.compile(
    r"traceback|sqlalchemy|sqlite|mysql|pymysql|werkzeug|flask|granian|python|jinja|wtforms|bcrypt"
    r"|\bselect\b|\binsert\b|\.py\b|\$2b\$|\b\d+\.\d+\.\d+\b(?<!127\.0\.0)|exception",
    re.IGNORECASE,
)
MEMBERS = ["type", "title", "status", "detail", "code"]


@dataclass
class Failure:
    """How to fail, and what the failure is called."""

    status: int
    code: str
    method: str
    path: str
    send: dict[str, Any] = field(default_factory=dict)
    challenge: str | None = None
    broken: str = ""  # what is broken before: "rows", or "away" for the database


def json(**fields: Any) -> dict[str, Any]:
    return {"json": fields}


FAILURES = {
    "a field is wrong": Failure(400, "validation_error", "POST", "/register", json(username="a")),
    "the JSON is broken": Failure(
        400, "bad_request", "POST", "/login", {"data": "{", "content_type": "application/json"}
    ),
    "the password is wrong": Failure(
        401, "invalid_credentials", "POST", "/login", json(username="dummyuser", password="x"),
        "Bearer",
    ),
    "the person is unknown": Failure(
        401, "invalid_credentials", "POST", "/login", json(username="nobody", password="x"),
        "Bearer",
    ),
    "there is no token": Failure(401, "token_missing", "GET", "/resource", {}, "Bearer"),
    "the token is bad": Failure(
        401, "token_invalid", "GET", "/resource", {"headers": bearer("a.b.c")},
        'Bearer error="invalid_token"',
    ),
    "the account needs one": Failure(401, "token_missing", "GET", "/api/auth/me/", {}, "Bearer"),
    "the address is unknown": Failure(404, "not_found", "GET", "/nothing"),
    "the picture is unknown": Failure(404, "not_found", "GET", "/static/nothing.png"),
    "the method is another": Failure(405, "method_not_allowed", "DELETE", "/resource"),
    "the method is unheard of": Failure(405, "method_not_allowed", "BREW", "/register"),
    "the form is for people": Failure(405, "method_not_allowed", "GET", "/login"),
    "the name is taken": Failure(
        409, "username_taken", "POST", "/register", json(**DUMMY | {"email": "o@example.com"})
    ),
    "the e-mail is taken": Failure(
        409, "email_taken", "POST", "/register", json(**DUMMY | {"username": "other"})
    ),
    "the body is large": Failure(
        413, "content_too_large", "POST", "/register", {"data": {"username": "a" * 100_000}}
    ),
    "the body is text": Failure(
        415, "unsupported_media_type", "POST", "/login", {"data": "a", "content_type": "text/plain"}
    ),
    "a row cannot be read": Failure(
        500, "internal_error", "POST", "/login", json(**DUMMY), broken="rows"
    ),
    "the database is away": Failure(
        503, "service_unavailable", "POST", "/login", json(**DUMMY), broken="away"
    ),
    "it is not ready": Failure(503, "service_unavailable", "GET", "/readyz", {}, broken="away"),
}  # fmt: skip
# Where a person can meet them: on pages, and behind forms.
PAGES = {
    name: failure
    for name, failure in FAILURES.items()
    if "json" in failure.send or (failure.method == "GET" and failure.status not in {401, 405})
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def failing(
    make_app: Callable[..., Flask], database_url: str, dummy: dict[str, str], tmp_path: Any
) -> Callable[[Failure], Flask]:
    """An application in which what has to be broken is broken."""

    def make(failure: Failure) -> Flask:
        if failure.broken == "rows":
            execute(database_url, "UPDATE user SET created_at = 'no moment in time'")
        away = f"sqlite:///{tmp_path / 'away' / 'test.db'}"
        return make_app(database_url=away if failure.broken == "away" else database_url)

    return make


def told(answer: TestResponse) -> str:
    """Everything that leaves the service, but what was sent in."""
    return "\n".join([answer.text, *(f"{name}: {value}" for name, value in answer.headers)])


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_program_gets_a_problem(failing: Callable[[Failure], Flask], failure: Failure) -> None:
    answer = failing(failure).test_client().open(
        failure.path, method=failure.method, **failure.send
    )  # fmt: skip
    body = answer.get_json()
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (
        failure.status, failure.status, failure.code,
    )  # fmt: skip
    assert list(body)[: len(MEMBERS)] == MEMBERS
    assert body["title"]
    assert body["detail"]
    assert set(body) - {*MEMBERS, "errors"} == set()
    assert all(isinstance(line, str) for lines in body.get("errors", {}).values() for line in lines)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("WWW-Authenticate") == failure.challenge
    assert ("Retry-After" in answer.headers) == (failure.status == 503)
    assert ("Allow" in answer.headers) == (failure.status == 405)
    assert "Set-Cookie" not in answer.headers
    assert INSIDE.findall(told(answer)) == []


@pytest.mark.parametrize("failure", PAGES.values(), ids=PAGES)
def test_a_person_gets_a_page(failing: Callable[[Failure], Flask], failure: Failure) -> None:
    app = failing(failure)
    browser = Browser(app)
    if failure.method == "POST":
        answer = browser.post(failure.path, **failure.send["json"])
    else:
        answer = browser.get(failure.path)
    assert (answer.status_code, answer.mimetype) == (failure.status, "text/html")
    assert answer.headers.get("WWW-Authenticate") == failure.challenge
    assert ("Retry-After" in answer.headers) == (failure.status == 503)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<h1>" in answer.text
    assert INSIDE.findall(told(answer)) == []


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/resource", {"GET", "HEAD"}), ("/register", {"POST"}), ("/healthz", {"GET", "HEAD"})],
)
def test_a_405_says_what_is_allowed(app: Flask, path: str, allowed: set[str]) -> None:
    answer = app.test_client().put(path)
    assert answer.status_code == 405
    assert allowed <= set(answer.headers["Allow"].split(", "))


def test_every_address_says_the_same_with_a_slash_at_its_end(app: Flask) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = re.sub("<[^>]+>", "1", rule.rule)
        if path == "/" or rule.endpoint == "static":
            continue
        for method in ("OPTIONS", "BREW", "GET"):
            for headers in ({}, BROWSER):
                plain, slashed = (
                    client.open(each, method=method, headers=headers) for each in (path, f"{path}/")
                )
                assert plain.status_code == slashed.status_code
                assert plain.headers.get("Allow") == slashed.headers.get("Allow")


def test_a_503_says_when_to_come_back(failing: Callable[[Failure], Flask]) -> None:
    answer = failing(FAILURES["it is not ready"]).test_client().get("/readyz")
    assert 1 <= int(answer.headers["Retry-After"]) <= 30


@pytest.mark.system
def test_what_broke_is_in_the_log_under_the_number_of_the_answer(
    database_url: str, dummy: dict[str, str], serve: Callable[..., Any]
) -> None:
    execute(database_url, "UPDATE user SET created_at = 'no moment in time'")
    with serve(database_url, WORKERS="1") as server:
        answer = once(server.url, "POST", "/login", **dummy)
        log = [loads(line) for line in server.log.read_text().splitlines() if line[0] == "{"]
    assert answer.status == 500
    assert INSIDE.findall(f"{answer.headers}{answer.body.decode()}") == []
    (line,) = [line for line in log if line["event"] == "request.failed"]
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert "no moment in time" in line["trace"]


def test_debugging_cannot_be_switched_on_from_outside(
    failing: Callable[[Failure], Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    failure = FAILURES["a row cannot be read"]
    answer = failing(failure).test_client().post(failure.path, **failure.send)
    assert answer.get_json()["code"] == "internal_error"
