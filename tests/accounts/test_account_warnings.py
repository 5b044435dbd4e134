"""The account page warns before the last tries at the current password (CONTRACT 7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.application import DUMMY
from tests.support.browsing import Browser
from tests.support.databases import execute

WARNINGS = {
    8: "Two more tries, then wait 15 minutes.",
    9: "One more try, then wait 15 minutes.",
    10: "That was the last try: wait 15 minutes.",
}
WARNED = "then wait 15 minutes"
RENAMED = {"username": "renamed", "email": DUMMY["email"]}
FORMS = {
    "/account/profile": RENAMED,
    "/account/password": {"new_password": "another1234"},
    "/account/delete": {},
}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(ratelimit_enabled=True)


@pytest.fixture
def browser(app: Flask, dummy: dict[str, str]) -> Browser:
    return logged_in(app)


def logged_in(app: Flask) -> Browser:
    browser = Browser(app)
    assert browser.post("/login", **DUMMY).status_code == 303
    return browser


def confirm(browser: Browser, path: str, password: str = "wrong") -> TestResponse:
    return browser.post(path, **FORMS[path], current_password=password)


def fail(browser: Browser, times: int) -> None:
    for _ in range(times):
        assert WARNED not in confirm(browser, "/account/profile").text


@pytest.mark.parametrize("path", FORMS)
def test_each_form_warns_from_the_eighth_failure_on(browser: Browser, path: str) -> None:
    for number in range(1, 11):
        answer = confirm(browser, path)
        assert answer.status_code == 403
        said = [warning for warning in WARNINGS.values() if warning in answer.text]
        assert said == ([WARNINGS[number]] if number in WARNINGS else [])
    refused = confirm(browser, path, DUMMY["password"])
    assert (refused.status_code, int(refused.headers["Retry-After"]) <= 900) == (429, True)


def test_the_forms_count_together(browser: Browser) -> None:
    fail(browser, 7)
    assert WARNINGS[8] in confirm(browser, "/account/delete").text
    assert WARNINGS[9] in confirm(browser, "/account/password").text


def test_the_warning_is_gone_from_the_page_itself_and_after_the_right_password(
    browser: Browser,
) -> None:
    fail(browser, 7)
    assert WARNINGS[8] in confirm(browser, "/account/profile").text
    assert WARNED not in browser.get("/account/profile").text
    assert confirm(browser, "/account/profile", DUMMY["password"]).status_code == 303
    assert WARNED not in browser.get("/account/profile").text


def test_another_session_is_not_warned(app: Flask, browser: Browser) -> None:
    fail(browser, 7)
    assert WARNED not in confirm(logged_in(app), "/account/profile").text
    assert WARNINGS[8] in confirm(browser, "/account/profile").text


def test_after_fifteen_minutes_the_warnings_begin_anew(browser: Browser, database_url: str) -> None:
    fail(browser, 7)
    assert WARNINGS[8] in confirm(browser, "/account/profile").text
    execute(database_url, "UPDATE counter SET expires_at = '2001-01-01 00:00:00'")
    fail(browser, 7)
    assert WARNINGS[8] in confirm(browser, "/account/profile").text


def test_where_nothing_is_limited_nothing_is_warned_of(
    make_app: Callable[..., Flask], dummy: dict[str, str]
) -> None:
    fail(logged_in(make_app(ratelimit_enabled=False)), 12)
