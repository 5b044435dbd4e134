"""Logging in for another program by a password (CONTRACT 14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask

from app.social.codes import s256
from tests.support.application import DUMMY, assert_problem
from tests.support.browsing import Browser
from tests.support.databases import execute, select

BACK = "https://app.example.com/back?lang=en"
VERIFIER = "v" * 43
ASKED = {
    "redirect_uri": BACK, "state": "st&te", "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256",
}  # fmt: skip
QUERY = urlencode(ASKED)
GOOGLE = {"google_client_id": "id", "google_client_secret": "secret"}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(client_redirect_urls=(BACK,), **GOOGLE)


def next_of(page: str) -> str:
    """Where the form of a page leads to."""
    return page.partition('name="next" value="')[2].partition('"')[0].replace("&amp;", "&")


def code_in(address: str) -> str:
    """The code of an address that leads to the front end with its state."""
    assert address.startswith(f"{BACK}&")
    query = parse_qs(urlsplit(address).query)
    assert query["state"] == ["st&te"]
    return query["code"][0]


def exchanged(app: Flask, code: str, verifier: str = VERIFIER) -> Any:
    body = {"code": code, "code_verifier": verifier}
    return app.test_client().post("/api/auth/social/token/", json=body)


@pytest.mark.parametrize("page", ["/login", "/register"])
def test_a_page_says_which_program_asked(app: Flask, page: str) -> None:
    browser = Browser(app)
    asked = browser.get(f"{page}?{QUERY}").text
    assert "You then go on to app.example.com." in asked
    refused = browser.post(page, **DUMMY | {"password": ""}, next=next_of(asked))
    assert "You then go on to app.example.com." in refused.text
    # The first of two values counts, for the page as for what the login leads to.
    twice = urlencode({"next": f"/login/continue?{QUERY}&redirect_uri=https://elsewhere.example/"})
    assert "You then go on to app.example.com." in browser.get(f"{page}?{twice}").text
    for address in (page, f"{page}?next=/account", f"{page}?next=/login/continue?redirect_uri=x"):
        assert "You then go on" not in browser.get(address).text


@pytest.mark.parametrize("page", ["/login", "/register"])
def test_a_login_ends_at_the_front_end_with_a_code(app: Flask, page: str) -> None:
    browser = Browser(app)
    if page == "/login":
        app.test_client().post("/register", data=DUMMY)
    onward = next_of(browser.get(f"{page}?{QUERY}").text)
    moved = browser.post(page, **DUMMY, next=onward)
    assert (moved.status_code, moved.location) == (303, onward)
    leads = browser.get(onward)
    assert leads.status_code == 303
    code = code_in(leads.location)
    assert exchanged(app, code).get_json().keys() == {"refresh", "access"}
    assert_problem(exchanged(app, code), 400, "invalid_grant")


def test_a_person_who_is_logged_in_presses_a_button_first(app: Flask) -> None:
    app.test_client().post("/register", data=DUMMY)
    browser = Browser(app)
    browser.post("/login", **DUMMY)
    page = browser.get(f"/login?{QUERY}")
    assert page.status_code == 303
    shown = browser.get(page.location)
    assert shown.status_code == 200
    assert "app.example.com" in shown.text
    assert "Continue as dummyuser" in shown.text
    # Who does not want to is led back, and the front end is told so (RFC 6749 §4.1.2.1).
    refusal = f"{BACK}&{urlencode({'error': 'access_denied', 'state': 'st&te'})}"
    assert f'href="{escape(refusal)}"' in shown.text
    # Opened again it still asks: a link of another site hands out nothing.
    assert browser.get(page.location).status_code == 200
    # Without the page's token the button is asked for once more.
    assert browser.send("POST", page.location).location == page.location
    pressed = browser.post(page.location)
    assert exchanged(app, code_in(pressed.location)).status_code == 200


def test_a_message_that_was_not_shown_on_the_way_is_not_shown_later(app: Flask) -> None:
    browser = Browser(app)
    onward = next_of(browser.get(f"/register?{QUERY}").text)
    browser.post("/register", **DUMMY, next=onward)
    assert browser.get(onward).status_code == 303
    assert "Your account is ready." not in browser.get("/").text


def test_a_login_for_a_page_here_gives_no_front_end_a_code(app: Flask) -> None:
    app.test_client().post("/register", data=DUMMY)
    browser = Browser(app)
    browser.post("/login", **DUMMY, next="/account")
    assert browser.get(f"/login/continue?{QUERY}").status_code == 200


def test_signed_out_it_leads_to_the_login_and_keeps_what_was_asked(app: Flask) -> None:
    moved = Browser(app).get(f"/login/continue?{QUERY}")
    assert moved.status_code == 303
    assert parse_qs(urlsplit(moved.location).query)["redirect_uri"] == [BACK]


def test_the_pages_keep_what_was_asked(app: Flask) -> None:
    page = Browser(app).get(f"/login?{QUERY}").text.replace("&amp;", "&")
    assert f"/login/google?{QUERY}" in page
    onward = next_of(page)
    assert urlencode({"next": onward}) in page  # the link to the other page
    assert next_of(Browser(app).get(f"/register?{urlencode({'next': onward})}").text) == onward


def in_indonesian(page: str) -> str:
    """Where the page's link to itself in Indonesian leads."""
    return str(re.findall(r'href="([^"]*lang=id)"', page)[0]).replace("&amp;", "&")


@pytest.mark.parametrize("path", ["/login", "/register"])
@pytest.mark.parametrize("refused", [False, True])
def test_another_language_keeps_what_was_asked(app: Flask, path: str, refused: bool) -> None:
    browser = Browser(app)
    page = browser.get(f"{path}?{QUERY}").text
    onward = next_of(page)
    if refused:
        page = browser.post(path, username="x", next=onward).text
    turned = browser.get(path + in_indonesian(page)).text
    assert '<html lang="id">' in turned
    assert next_of(turned) == onward


def test_another_language_keeps_what_was_asked_of_a_person_who_is_logged_in(app: Flask) -> None:
    app.test_client().post("/register", data=DUMMY)
    browser = Browser(app)
    browser.post("/login", **DUMMY)
    turned = browser.get(
        "/login/continue" + in_indonesian(browser.get(f"/login/continue?{QUERY}").text)
    )
    assert turned.status_code == 200
    assert "Lanjutkan sebagai dummyuser" in turned.text


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://app.example.com/back"},
        {"redirect_uri": f"{BACK}&x=1"},
        {"redirect_uri": "https://evil.example"},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
        {"state": "x" * 201},
        {"state": "\n"},
    ],
)
@pytest.mark.parametrize("path", ["/login", "/register", "/login/google", "/login/continue"])
def test_what_is_not_as_agreed_is_refused_and_leads_nowhere(
    app: Flask, path: str, change: dict[str, str]
) -> None:
    answer = Browser(app).get(f"{path}?{urlencode(ASKED | change)}")
    assert answer.status_code == 400
    assert answer.location is None


@pytest.mark.parametrize("end", ["logout", "password", "verifier", "minute"])
def test_a_code_is_refused_once_it_is_not_good(app: Flask, database_url: str, end: str) -> None:
    app.test_client().post("/register", data=DUMMY)
    browser = Browser(app)
    browser.post("/login", **DUMMY)
    code = code_in(browser.post(f"/login/continue?{QUERY}").location)
    verifier = VERIFIER
    if end == "verifier":
        verifier = "w" * 43
    elif end == "minute":
        execute(database_url, "UPDATE one_time SET expires_at = '2026-01-01'")
    elif end == "password":
        changed = {"current_password": DUMMY["password"], "new_password": "battery staple"}
        assert browser.post("/account/password", **changed).status_code == 303
    else:
        browser.post("/logout")
    expected = 200 if end == "logout" else 400  # the front end's session is its own
    assert exchanged(app, code, verifier).status_code == expected
    # The attempt has used it up, also where it was refused.
    assert exchanged(app, code).status_code == 400


def test_an_ended_session_gets_no_code(app: Flask, database_url: str) -> None:
    app.test_client().post("/register", data=DUMMY)
    browser = Browser(app)
    browser.post("/login", **DUMMY)
    execute(database_url, "UPDATE session SET revoked_at = created_at")
    answer = browser.post(f"/login/continue?{QUERY}")
    assert answer.location is None or not answer.location.startswith("https://app.")
    assert select(database_url, "SELECT count(*) FROM one_time WHERE purpose = 'login_code'") == [
        (0,)
    ]


def test_the_policy_of_forms_names_the_front_end(app: Flask) -> None:
    policy = Browser(app).get("/login").headers["Content-Security-Policy"]
    assert "form-action 'self' https://app.example.com;" in policy
