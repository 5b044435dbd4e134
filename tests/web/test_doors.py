"""Forms that another tab made outdated, logins that ended elsewhere, forms that have to wait."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.accounts import login, profile_change, registration
from app.core.errors import BusyError, TokenRevokedError
from app.extensions import db
from app.sessions.revocation import revocation_list
from tests.support.application import BROWSER, DUMMY, assert_problem
from tests.support.browsing import Browser
from tests.support.databases import select, stored_rows

OUTDATED = "You logged in or out in another tab meanwhile. Check the form and send it again."
AGAIN = "You logged in or out in another tab meanwhile. Press the button once more."
ENDED = "Your login here has ended. Log in again to go on."
NOT_SAVED = "We cannot save this just now. Try again in a few seconds."
TYPED = {"username": "mira", "email": "mira@example.com"}
PASSWORDS = {"password": "a secret of mira", "current_password": "a secret of mira"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def person(app: Flask, dummy: dict[str, str]) -> Browser:
    browser = Browser(app)
    assert browser.post("/login", **dummy).status_code == 303
    return browser


def value_of(page: str, name: str) -> str | None:
    """The value that a page's field has."""
    (tag,) = re.findall(rf'<input [^>]*name="{name}"[^>]*>', page)
    found = re.search(r' value="([^"]*)"', tag)
    return found[1] if found else None


def assert_shown_again(answer: TestResponse, said: str, **typed: str) -> None:
    """An answer is the form with what was typed, without passwords, and says why."""
    assert said in answer.text
    for name, value in typed.items():
        assert value_of(answer.text, name) == value
    assert "a secret of" not in answer.text
    assert answer.text.count("<h1") == 1


# --- D1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "typed"),
    [("/register", TYPED), ("/login", {"username": "mira"})],
)
def test_an_outdated_form_is_shown_again_and_can_then_be_sent(
    app: Flask, path: str, typed: dict[str, str]
) -> None:
    """D1."""
    browser = Browser(app)
    browser.csrf_token()
    refused = browser.post(path, Browser(app).csrf_token(), **typed, **PASSWORDS)
    assert refused.status_code == 400
    assert_shown_again(refused, OUTDATED, **typed)
    fresh = value_of(refused.text.partition('<form action="/')[2], "csrf_token")
    sent_again = browser.post(path, fresh, **typed, **PASSWORDS)
    assert OUTDATED not in sent_again.text


@pytest.mark.parametrize("path", ["/account/profile", "/account/delete"])
def test_an_outdated_form_of_the_settings_is_shown_again(
    person: Browser, database_url: str, path: str
) -> None:
    """D1."""
    before = stored_rows(database_url)
    refused = person.post(path, "of before", **TYPED, **PASSWORDS)
    assert refused.status_code == 400
    typed = {name: TYPED[name] for name in TYPED if f'name="{name}"' in refused.text}
    assert_shown_again(refused, OUTDATED, **typed)
    assert stored_rows(database_url) == before


def test_an_outdated_form_for_passwords_comes_back_empty(person: Browser) -> None:
    """D1."""
    refused = person.post("/account/password", "of before", new_password="a secret of", **PASSWORDS)
    assert refused.status_code == 400
    assert_shown_again(refused, OUTDATED)


def test_a_pasted_token_stays_in_an_outdated_form(app: Flask) -> None:
    """D1."""
    refused = Browser(app).post("/resource", "of before", token="a.b.c")
    assert refused.status_code == 400
    assert_shown_again(refused, OUTDATED)
    assert ">\r\na.b.c</textarea>" in refused.text


def test_who_logs_in_in_a_second_tab_goes_where_the_form_would_lead(person: Browser) -> None:
    """D1."""
    led = person.post("/login", "of before", **DUMMY, next="/resource")
    assert (led.status_code, led.headers["Location"]) == (303, "/resource")
    assert OUTDATED not in person.get("/resource").text


def test_where_a_form_leads_stays_when_it_is_shown_again(app: Flask) -> None:
    """D1."""
    refused = Browser(app).post("/login", "of before", **DUMMY, next="/account/devices")
    assert value_of(refused.text, "next") == "/account/devices"
    refused = Browser(app).post("/login", "of before", **DUMMY, next="//evil.example")
    assert "evil" not in refused.text


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/logout", "/"),
        ("/account/devices/1/end", "/account/devices"),
        ("/account/devices/end-others", "/account/devices"),
        ("/account/connections/1/disconnect", "/account/connections"),
        ("/account/connections/connect/google", "/account/connections"),
    ],
)
def test_an_outdated_button_leads_to_its_page_and_does_nothing(
    person: Browser, database_url: str, path: str, page: str
) -> None:
    """D1."""
    before = select(database_url, "SELECT * FROM session")
    led = person.post(path, "of before")
    assert (led.status_code, led.headers["Location"]) == (303, page)
    assert AGAIN in person.get(page).text
    assert select(database_url, "SELECT * FROM session") == before


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", [None, "of before"])
def test_logging_out_twice_leads_home(app: Flask, method: str, token: str | None) -> None:
    """D1 and D6."""
    browser = Browser(app)
    fields = {"csrf_token": token or browser.csrf_token()} if method == "POST" else None
    led = browser.send(method, "/logout", data=fields)
    assert (led.status_code, led.headers["Location"]) == (303, "/")
    assert 'class="flash ' not in browser.get("/").text


def test_every_form_has_a_page_at_its_address(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or ()) and not rule.rule.startswith("/api/"):
            path = re.sub("<[^>]+>", "1", rule.rule)
            if path == "/password/strength":  # asked by a script, which shows no page
                continue
            assert app.url_map.bind("").match(path, method="GET"), path


@pytest.mark.parametrize(
    ("origin", "kept"),
    [
        ("http://127.0.0.1:5000", True), ("https://evil.example", False), ("null", False),
        ("http://127.0.0.1:5000.evil.example", False),
    ],
)  # fmt: skip
def test_no_other_site_fills_a_form_in(app: Flask, origin: str, kept: bool) -> None:
    browser = Browser(app)
    answer = browser.send(
        "POST", "/register", data=TYPED | {"csrf_token": "x"}, headers=BROWSER | {"Origin": origin}
    )
    assert answer.status_code == 400
    assert ("mira@example.com" in answer.text) == kept


# --- D2 ------------------------------------------------------------------------------------------


def end_elsewhere(app: Flask, database_url: str) -> None:
    """End every session as another worker would."""
    for (number,) in select(database_url, "SELECT id FROM session"):
        with app.app_context():
            db.session.execute(
                db.text("UPDATE session SET revoked_at = '2026-01-01' WHERE id = :id"),
                {"id": number},
            )
            db.session.commit()
    with app.app_context():
        revocation_list.of(app).refresh(db.engine)


@pytest.mark.parametrize("path", ["/account/profile", "/account/devices"])
def test_whose_login_ended_elsewhere_is_told_and_led_back(
    app: Flask, person: Browser, database_url: str, path: str
) -> None:
    """D2."""
    end_elsewhere(app, database_url)
    led = person.get(path)
    assert (led.status_code, led.headers["Location"]) == (303, f"/login?next={path}")
    assert ENDED in person.get(led.headers["Location"]).text
    assert ENDED not in person.get("/login").text


def test_a_form_of_an_ended_login_leads_to_the_login_and_back(
    app: Flask, person: Browser, database_url: str
) -> None:
    """D2."""
    token = person.csrf_token()
    end_elsewhere(app, database_url)
    led = person.post("/account/profile", token, **TYPED, **PASSWORDS)
    assert (led.status_code, led.headers["Location"]) == (303, "/login?next=/account/profile")
    page = person.get(led.headers["Location"]).text
    assert ENDED in page
    assert "earer" not in page
    back = person.post("/login", **DUMMY, next="/account/profile")
    assert urlsplit(back.headers["Location"]).path == "/account/profile"


def test_a_login_that_ends_while_its_form_is_answered_leads_to_the_login(
    person: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D2."""

    def end(*_: object, **__: object) -> None:
        raise TokenRevokedError

    monkeypatch.setattr(profile_change, "change_profile", end)
    led = person.post("/account/profile", **TYPED, **PASSWORDS)
    assert (led.status_code, led.headers["Location"]) == (303, "/login?next=/account/profile")
    page = person.get(led.headers["Location"])
    assert (page.status_code, ENDED in page.text) == (200, True)


def test_logging_out_of_an_ended_login_leads_home(
    app: Flask, person: Browser, database_url: str
) -> None:
    """D2."""
    token = person.csrf_token()
    end_elsewhere(app, database_url)
    led = person.post("/logout", token)
    assert (led.status_code, led.headers["Location"]) == (303, "/")


def test_a_first_visit_is_not_told_of_a_login_that_ended(app: Flask) -> None:
    """D2."""
    browser = Browser(app)
    led = browser.get("/account/profile")
    assert ENDED not in browser.get(led.headers["Location"]).text


# --- D9 ------------------------------------------------------------------------------------------


def fail_to_reach_the_database(*_: object, **__: object) -> None:
    raise OperationalError("SELECT 1", {}, Exception("gone"))


def refuse_as_busy(*_: object, **__: object) -> None:
    raise BusyError


@pytest.mark.parametrize(
    ("failure", "said"),
    [(fail_to_reach_the_database, NOT_SAVED), (refuse_as_busy, str(BusyError.detail))],
)
def test_a_form_that_cannot_be_taken_now_keeps_what_was_typed(
    app: Flask,
    person: Browser,
    monkeypatch: pytest.MonkeyPatch,
    failure: Callable[..., None],
    said: str,
) -> None:
    """D9."""
    for module, name in [
        (registration, "_create"), (login, "find_by_name"), (profile_change, "change_profile")
    ]:  # fmt: skip
        monkeypatch.setattr(module, name, failure)
    stranger = Browser(app)
    for browser, path in [
        (stranger, "/register"), (stranger, "/login"), (person, "/account/profile")
    ]:  # fmt: skip
        answer = browser.post(path, **TYPED, **PASSWORDS)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        typed = {"username": "mira"} if path == "/login" else TYPED
        assert_shown_again(answer, said, **typed)


def test_a_page_that_fails_as_well_is_a_page_that_says_so(
    person: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D9."""
    monkeypatch.setattr("app.accounts.lookup.profile", fail_to_reach_the_database)
    answer = person.post("/account/profile", **TYPED, **PASSWORDS)
    assert answer.status_code == 503
    assert NOT_SAVED in answer.text
    assert int(answer.headers["Retry-After"]) > 0


def test_a_program_gets_the_problem_as_before(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "_create", fail_to_reach_the_database)
    answer = app.test_client().post("/register", data=DUMMY)
    assert_problem(answer, 503, "service_unavailable")


def test_a_limit_is_told_above_the_form_with_what_a_clock_needs(
    make_app: Callable[..., Flask], dummy: dict[str, str]
) -> None:
    """D9."""
    browser = Browser(make_app(ratelimit_enabled=True))
    for _ in range(10):
        assert browser.post("/login", username="dummyuser", password="wrong").status_code == 401
    answer = browser.post("/login", **dummy)
    assert answer.status_code == 429
    told = "Too many wrong passwords. Try again in 15 minutes."
    assert_shown_again(answer, told, username="dummyuser")
    assert 'data-clock="Too many wrong passwords. Try again at {time}."' in answer.text
    assert f'data-wait="{answer.headers["Retry-After"]}"' in answer.text
