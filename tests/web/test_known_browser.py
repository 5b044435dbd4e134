"""A browser that the owner has used before gets in while an account is guessed at (CONTRACT 7)."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import Morsel, SimpleCookie

import pytest
from flask import Flask
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

from app.web.browser import known_browser
from tests.support.application import BROWSER, DUMMY
from tests.support.browsing import Browser
from tests.support.databases import execute, select

YEAR = 365 * 24 * 3600
HTTPS = "https://login.example.com"
OTHER = {"username": "other", "email": "other@example.com", "password": "another1234"}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """With limits, and one proxy in front, whose word on the client's address counts."""
    app = make_app(ratelimit_enabled=True, trusted_proxies=1)
    for account in (DUMMY, OTHER):
        assert app.test_client().post("/register", data=account).status_code == 201
    return app


def log_in(browser: Browser, address: str, **fields: str) -> TestResponse:
    """Send the login form from an address."""
    sent = DUMMY | fields | {"csrf_token": browser.csrf_token()}
    headers = BROWSER | {"X-Forwarded-For": address}
    return browser.send("POST", "/login", data=sent, headers=headers)


def known(app: Flask, address: str = "198.51.100.7", **account: str) -> Browser:
    """A browser that somebody has logged in with, and out again."""
    browser = Browser(app)
    assert log_in(browser, address, **account).status_code == 303
    assert browser.post("/logout").status_code == 303
    return browser


def fail(app: Flask, times: int, address: str, **fields: str) -> None:
    """Guess wrongly as a program does."""
    for _ in range(times):
        sent = DUMMY | {"password": "wrong"} | fields
        headers = {"X-Forwarded-For": address}
        assert app.test_client().post("/login", data=sent, headers=headers).status_code == 401


def close(app: Flask, database_url: str, what: str) -> None:
    """Fail once, and move the counter on to its limit, for 192.0.2.9."""
    fail(app, 1, "192.0.2.9", username=DUMMY["username"] if what == "account" else "nobody")
    name, limit = {"account": ("%/login/user-%/50/15/%", 50), "address": ("%/spraying/%", 100)}[
        what
    ]
    execute(database_url, f"UPDATE counter SET value = {limit} WHERE name LIKE '{name}'")


# --- the limits ----------------------------------------------------------------------------------


def test_fifty_failures_close_an_account_to_strangers_and_not_to_a_known_browser(
    app: Flask,
) -> None:
    browser = known(app)
    for network in range(5):
        fail(app, 10, f"203.0.113.{network}")
    assert log_in(Browser(app), "192.0.2.9").status_code == 429
    assert log_in(browser, "192.0.2.9").status_code == 303


def test_forty_nine_failures_close_it_to_nobody(app: Flask) -> None:
    for network in range(4):
        fail(app, 10, f"203.0.113.{network}")
    fail(app, 9, "203.0.113.4")
    assert log_in(Browser(app), "192.0.2.9").status_code == 303


def test_a_hundred_failures_close_an_address_to_strangers_and_not_to_a_known_browser(
    app: Flask,
) -> None:
    browser = known(app)
    for number in range(100):
        fail(app, 1, "192.0.2.9", username=f"name{number}")
    assert log_in(Browser(app), "192.0.2.9").status_code == 429
    assert log_in(browser, "192.0.2.9").status_code == 303


@pytest.mark.parametrize("closed_by", ["account", "address"])
def test_a_browser_that_another_account_knows_is_a_strangers(
    app: Flask, database_url: str, closed_by: str
) -> None:
    browser = known(app, **OTHER)
    close(app, database_url, closed_by)
    assert log_in(browser, "192.0.2.9").status_code == 429


@pytest.mark.parametrize("closed_by", ["account", "address"])
def test_what_is_closed_opens_after_fifteen_minutes(
    app: Flask, database_url: str, closed_by: str
) -> None:
    close(app, database_url, closed_by)
    refused = log_in(Browser(app), "192.0.2.9")
    assert refused.status_code == 429
    assert 890 < int(refused.headers["Retry-After"]) <= 900
    execute(database_url, "UPDATE counter SET expires_at = '2001-01-01 00:00:00'")
    assert log_in(Browser(app), "192.0.2.9").status_code == 303


def test_a_known_browser_has_ten_failures_of_its_own_wherever_it_is(app: Flask) -> None:
    browser, another = known(app), known(app)
    for number in range(10):
        assert log_in(browser, f"192.0.2.{number}", password="wrong").status_code == 401
    assert log_in(browser, "192.0.2.10").status_code == 429
    assert log_in(another, "192.0.2.10").status_code == 303
    assert log_in(Browser(app), "192.0.2.0").status_code == 303, "it left the address its ten"


def test_two_replicas_know_it_and_count_its_ten_together(
    app: Flask, make_app: Callable[..., Flask]
) -> None:
    browser = known(app)
    elsewhere = Browser(make_app(ratelimit_enabled=True, trusted_proxies=1))
    kept = browser._client.get_cookie("known", domain="127.0.0.1")
    assert kept is not None
    elsewhere._client.set_cookie("known", kept.value, domain="127.0.0.1")
    for _ in range(5):
        for replica in (browser, elsewhere):
            assert log_in(replica, "192.0.2.9", password="wrong").status_code == 401
    for replica in (browser, elsewhere):
        assert log_in(replica, "192.0.2.9").status_code == 429


@pytest.mark.parametrize("closed_by", ["account", "address"])
def test_while_strangers_are_shut_out_a_known_browser_still_has_its_ten(
    app: Flask, database_url: str, closed_by: str
) -> None:
    browser = known(app)
    close(app, database_url, closed_by)
    for _ in range(10):
        assert log_in(browser, "192.0.2.9", password="wrong").status_code == 401
    assert log_in(browser, "192.0.2.9").status_code == 429


def test_failures_of_a_known_browser_are_no_spraying(app: Flask, database_url: str) -> None:
    browser = known(app)
    assert log_in(browser, "192.0.2.9", password="wrong").status_code == 401
    assert select(database_url, "SELECT name FROM counter WHERE name LIKE '%spraying%'") == []


# --- the cookie ----------------------------------------------------------------------------------


def cookie(answer: TestResponse) -> Morsel[str] | None:
    """The cookie that an answer sets, under either of its names."""
    for line in answer.headers.getlist("Set-Cookie"):
        for name, morsel in SimpleCookie(line).items():
            if name.endswith("known"):
                return morsel
    return None


def attributes(morsel: Morsel[str]) -> dict[str, object]:
    return {name: value for name, value in morsel.items() if value}


def test_on_https_it_is_bound_to_the_host(make_app: Callable[..., Flask]) -> None:
    app = make_app(public_url=HTTPS)
    app.test_client().post("/register", data=DUMMY)
    morsel = cookie(Browser(app, HTTPS).post("/login", **DUMMY))
    assert morsel is not None
    assert morsel.key == "__Host-known"
    assert attributes(morsel) == {
        "path": "/", "max-age": str(YEAR), "secure": True, "httponly": True, "samesite": "Lax",
        "expires": morsel["expires"],
    }  # fmt: skip


def test_on_http_it_has_another_name_and_is_not_secure(app: Flask) -> None:
    morsel = cookie(log_in(Browser(app), "192.0.2.1"))
    assert morsel is not None
    assert morsel.key == "known"
    assert attributes(morsel) == {
        "path": "/", "max-age": str(YEAR), "httponly": True, "samesite": "Lax",
        "expires": morsel["expires"],
    }  # fmt: skip


def test_it_is_set_by_a_login_alone_and_stays_at_a_logout(app: Flask) -> None:
    browser = Browser(app)
    assert cookie(browser.get("/login")) is None
    assert cookie(log_in(browser, "192.0.2.1", password="wrong")) is None
    assert cookie(log_in(browser, "192.0.2.1")) is not None
    assert cookie(browser.post("/logout")) is None
    program = app.test_client().post("/login", data=DUMMY)
    assert program.status_code == 200
    assert cookie(program) is None


def test_it_names_no_account(app: Flask) -> None:
    first, second = (cookie(log_in(Browser(app), "192.0.2.1")) for _ in range(2))
    assert first is not None
    assert second is not None
    with app.test_request_context():
        read = known_browser._serializer().loads
        contents = [read(morsel.value) for morsel in (first, second)]
    marks = [mark for content in contents for mark in content["accounts"]]
    assert len(set(marks)) == 2, "two browsers of one account have nothing in common"
    assert DUMMY["username"] not in str(contents)


def test_a_forged_or_an_old_cookie_is_a_strangers(app: Flask, database_url: str) -> None:
    close(app, database_url, "account")
    ((owner,),) = select(database_url, "SELECT id FROM user WHERE username = 'dummyuser'")
    with app.test_request_context():
        serializer = known_browser._serializer()
        mark = known_browser._mark("mine", owner)
        content = {"id": "mine", "accounts": [mark]}
        fresh = str(serializer.dumps(content))
        serializer.signer = TwoYearsAgo
        old = str(serializer.dumps(content))
    forged = fresh[:-4] + ("aaaa" if fresh[-4:] != "aaaa" else "bbbb")
    statuses = []
    for value in (old, forged, fresh):  # the last one makes the network known as well
        browser = Browser(app)
        browser._client.set_cookie("known", value, domain="127.0.0.1")
        statuses.append(log_in(browser, "192.0.2.9").status_code)
    assert statuses == [429, 429, 303]


class TwoYearsAgo(TimestampSigner):
    """Signs as if the cookie had been set two years ago."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() - 2 * YEAR
