"""POST /password/strength: a page's new password is judged before it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.application import DUMMY, assert_problem
from tests.support.browsing import Browser

PATH = "/password/strength"
GOOD = "correct horse battery"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def judged(browser: Browser, **fields: str) -> str:
    answer = browser.post(PATH, **fields)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    (message,) = json.loads(answer.text).values()
    assert isinstance(message, str)
    return message


@pytest.mark.parametrize(
    ("password", "good"),
    [(GOOD, True), ("password1", False), ("iloveyou", False), ("short", False), ("x" * 73, False)],
)
def test_it_is_the_rule_that_decides_in_the_end(app: Flask, password: str, good: bool) -> None:
    browser = Browser(app)
    message = judged(browser, password=password)
    assert (message == "") == good
    if not good:
        fields = {"username": "mira.tan", "email": "mira@example.com", "password": password}
        assert message in browser.post("/register", **fields).text


def test_what_else_is_in_the_form_is_guessed_first(app: Flask) -> None:
    browser = Browser(app)
    name = "wolkenkratzer77"
    assert judged(browser, password=name) == ""
    assert judged(browser, password=name, username=name)
    email = "wolkenkratzer77@example.com"
    assert judged(browser, password=email) == ""
    assert judged(browser, password=email, email=email)


def test_what_the_account_is_called_is_guessed_first(app: Flask) -> None:
    browser = Browser(app)
    name = "wolkenkratzer77"
    new = DUMMY | {"username": name}
    assert browser.post("/register", **new).status_code == 303
    assert judged(browser, password=name)


def test_a_program_is_not_served(app: Flask) -> None:
    answer = app.test_client().post(PATH, data={"password": GOOD})
    assert_problem(answer, 406, "not_acceptable")


def test_another_sites_page_is_not_served(app: Flask) -> None:
    browser = Browser(app)
    assert browser.post(PATH, "", password=GOOD).status_code == 400
    sent = {"Accept": "text/html", "Sec-Fetch-Site": "same-site"}
    data = {"password": GOOD, "csrf_token": browser.csrf_token()}
    assert browser.send("POST", PATH, data=data, headers=sent).status_code == 403


def test_sixty_a_minute_are_judged(make_app: Callable[..., Flask]) -> None:
    browser = Browser(make_app(ratelimit_enabled=True))
    token = browser.csrf_token()
    answers = [browser.post(PATH, token, password="password1") for _ in range(61)]
    assert [answer.status_code for answer in answers] == [200] * 60 + [429]


def test_nothing_of_it_is_logged(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    secret = "zebra-secret-4711"
    judged(Browser(app), password=secret)
    assert secret not in "".join(capfd.readouterr())
