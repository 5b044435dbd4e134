"""REGISTRATION=closed: nobody is let in or led to the form; the command line creates accounts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.application import DUMMY, assert_problem
from tests.support.browsing import Browser
from tests.support.databases import stored_rows

LINK = 'href="/register"'
PAGES = ("/", "/login", "/register", "/resource", "/docs", "/nothing-here")


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(registration="closed")


def create(app: Flask) -> dict[str, object]:
    """What `./loguserapp users create` says."""
    arguments = ["users", "create", DUMMY["username"], DUMMY["email"], "--json"]
    result = app.test_cli_runner().invoke(args=arguments, input=f"{DUMMY['password']}\n")
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)[0]
    return found


@pytest.mark.parametrize("path", ["/register", "/register/", "/api/auth/register/"])
@pytest.mark.parametrize("body", ["json", "data"])
def test_a_program_is_refused(app: Flask, database_url: str, path: str, body: str) -> None:
    answer = app.test_client().post(path, **{body: DUMMY})
    assert_problem(answer, 403, "registration_closed")
    assert stored_rows(database_url) == 0


def test_a_person_sees_no_form_and_is_refused(app: Flask, database_url: str) -> None:
    browser = Browser(app)
    page = browser.get("/register")
    assert page.status_code == 200
    refused = browser.post("/register", **DUMMY)
    assert refused.status_code == 403
    for answer in (page, refused):
        assert "New accounts are not open here." in answer.text
        assert "<form" not in answer.text.partition("<main")[2]
    assert stored_rows(database_url) == 0


@pytest.mark.parametrize("path", PAGES)
def test_no_page_leads_to_the_form(app: Flask, make_app: Callable[..., Flask], path: str) -> None:
    assert LINK in Browser(make_app()).get(path).text, "where it is open, the navigation does"
    page = Browser(app).get(path).text
    assert LINK not in page
    assert 'href="/login"' in page
    # The examples of the home page begin with an account of their own.
    assert path == "/docs" or "Try it" not in page


def test_the_command_line_creates_an_account_which_logs_in(app: Flask) -> None:
    assert create(app)["username"] == DUMMY["username"]
    assert app.test_client().post("/login", data=DUMMY).status_code == 200
    browser = Browser(app)
    assert browser.post("/login", **DUMMY).status_code == 303
    assert LINK not in browser.get("/").text
