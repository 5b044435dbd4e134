"""The mark on the way of logging in that was used last in this browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.application import BROWSER, DUMMY
from tests.support.browsing import Browser

PROVIDER = {"google_client_id": "id", "google_client_secret": "secret"}
MARK = '<span class="last-used">Last used</span>'


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def page_of(app: Flask, value: str, path: str = "/login") -> str:
    client = app.test_client(use_cookies=False)
    return client.get(path, headers=BROWSER | {"Cookie": f"last={value}"}).text


@pytest.mark.parametrize("path", ["/login", "/register"])
def test_a_password_is_marked_after_it_was_used(make_app: Callable[..., Flask], path: str) -> None:
    app = make_app(**PROVIDER)
    assert app.test_client().post("/register", data=DUMMY).status_code == 201
    browser = Browser(app)
    assert MARK not in browser.get("/login").text
    fields = DUMMY if path == "/login" else DUMMY | {"username": "b", "email": "b@example.com"}
    fields |= {"username": "dummyuser" if path == "/login" else "another"}
    led = browser.post(path, **fields)
    (cookie,) = [each for each in led.headers.getlist("Set-Cookie") if each.startswith("last=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert browser.post("/logout").status_code == 303
    assert f"Log in{MARK}</button>" in browser.get("/login").text


def test_a_provider_is_marked_on_both_pages(make_app: Callable[..., Flask]) -> None:
    app = make_app(**PROVIDER)
    for path in ("/login", "/register"):
        page = page_of(app, "google", path)
        assert f"Continue with Google</span>{MARK}</a>" in page
        assert page.count(MARK) == 1


@pytest.mark.parametrize("value", ["", "facebook", "nonsense", "<b>", "\xff"])
def test_what_is_not_offered_is_not_marked(make_app: Callable[..., Flask], value: str) -> None:
    assert MARK not in page_of(make_app(**PROVIDER), value)


def test_where_there_is_one_way_nothing_is_marked_or_kept(app: Flask) -> None:
    assert app.test_client().post("/register", data=DUMMY).status_code == 201
    led = Browser(app).post("/login", **DUMMY)
    names = {each.partition("=")[0] for each in led.headers.getlist("Set-Cookie")}
    assert "last" not in names
    assert MARK not in page_of(app, "password")


def test_on_https_the_cookie_is_bound_to_the_host(make_app: Callable[..., Flask]) -> None:
    url = "https://login.example.com"
    app = make_app(public_url=url, **PROVIDER)
    assert app.test_client().post("/register", data=DUMMY).status_code == 201
    led = Browser(app, url).post("/login", **DUMMY)
    (cookie,) = [each for each in led.headers.getlist("Set-Cookie") if "last=" in each]
    assert cookie.startswith("__Host-last=password; ")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
