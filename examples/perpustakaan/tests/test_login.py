"""Logging in at loguserapp, by HTTP against a real one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import Person, log_in
from flask import Flask
from flask.testing import FlaskClient
from person_browser import PersonBrowser

from perpustakaan.login import own_path
from tests.support.environment import wait_until
from tests.support.http import once
from tests.support.servers import Server

ACCESS, REFRESH = "perpustakaan_access", "perpustakaan_refresh"


@pytest.fixture
def library(make_app: Callable[..., Flask], loguserapp: Server, library_url: str) -> Flask:
    return make_app(LOGUSERAPP_URL=loguserapp.url, APP_URL=library_url)


@pytest.fixture
def browser(library: Flask) -> PersonBrowser:
    return PersonBrowser(library)


def test_a_login_leads_to_loguserapp_and_back_to_the_page(
    browser: PersonBrowser, reader: Person, loguserapp: Server
) -> None:
    began = browser.get("/login?next=/loans")
    assert began.location.startswith(f"{loguserapp.url}/login?")
    asked = parse_qs(urlsplit(began.location).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    answer = browser.log_in(reader.username, then="/loans")
    assert (answer.status_code, answer.location) == (303, "/loans")
    assert reader.username in browser.follow(answer).text


def test_tokens_are_in_cookies_that_no_script_reads(browser: PersonBrowser, reader: Person) -> None:
    sent = browser.log_in(reader.username).headers.getlist("Set-Cookie")
    tokens = [cookie for cookie in sent if cookie.startswith((ACCESS, REFRESH))]
    assert len(tokens) == 2
    for cookie in tokens:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/;" in cookie
        assert "Max-Age=" in cookie


def test_under_a_prefix_cookies_and_addresses_have_it(
    make_app: Callable[..., Flask], loguserapp: Server, library_url: str, reader: Person
) -> None:
    url = f"{library_url}/perpustakaan"
    browser = PersonBrowser(make_app(LOGUSERAPP_URL=loguserapp.url, APP_URL=url))
    answer = browser.log_in(reader.username, then="/loans")
    assert answer.location == "/perpustakaan/loans"
    cookies = answer.headers.getlist("Set-Cookie")
    assert all("Path=/perpustakaan;" in f"{cookie};" for cookie in cookies)
    assert reader.username in browser.follow(answer).text


@pytest.mark.parametrize(
    "text",
    [
        "", "loans", "//evil.example", "/\\evil.example", "\\/evil.example", "https://evil.example",
        "javascript:alert(1)", "/%0d\n", "/a b", "/é", "/login?next=/login", "/logout", "/callback",
        "/../x", "/./login", "/%2e%2e/x", "/a/..",
        "/register", "/" + "a" * 300,
    ],
)  # fmt: skip
def test_next_is_a_path_of_this_service_or_the_catalogue(text: str) -> None:
    assert own_path(text) == "/"


def test_next_keeps_a_search() -> None:
    assert own_path("/?q=laskar+pelangi&sort=year") == "/?q=laskar+pelangi&sort=year"


def test_several_tabs_log_in_at_the_same_time(browser: PersonBrowser, reader: Person) -> None:
    paths = [browser.code_path(reader.username, then) for then in ("/loans", "/?q=a", "/?q=b")]
    led_to = [browser.get(path).location for path in reversed(paths)]
    assert led_to == ["/?q=b", "/?q=a", "/loans"]
    assert browser.is_logged_in()


def test_a_code_of_another_browser_logs_nobody_in(
    library: Flask, browser: PersonBrowser, reader: Person
) -> None:
    """Else a link could log a person in to the account of somebody else."""
    path = browser.code_path(reader.username)
    other = PersonBrowser(library)
    answer = other.get(path)
    assert answer.status_code == 400
    assert "You are not logged in" in answer.text
    assert 'href="/login?next=/"' in answer.text
    assert not other.is_logged_in()
    assert browser.get(path).status_code == 303


def test_a_code_that_was_used_leads_to_the_catalogue(
    browser: PersonBrowser, reader: Person
) -> None:
    path = browser.code_path(reader.username, then="/loans")
    browser.get(path)
    again = browser.get(path)
    assert (again.status_code, again.location) == (303, "/")


def test_a_false_code_is_refused_and_the_way_is_kept(
    browser: PersonBrowser, reader: Person
) -> None:
    path = browser.code_path(reader.username, then="/loans")
    state = parse_qs(urlsplit(path).query)["state"][0]
    answer = browser.get(f"/callback?code=false&state={state}")
    assert answer.status_code == 400
    assert 'href="/login?next=/loans"' in answer.text
    assert not browser.is_logged_in()


def test_a_login_that_was_cancelled_says_so(browser: PersonBrowser) -> None:
    began = browser.get("/login?next=/loans")
    state = parse_qs(urlsplit(began.location).query)["state"][0]
    answer = browser.get(f"/callback?error=access_denied&state={state}")
    assert answer.status_code == 400
    assert "cancelled" in answer.text


def test_creating_an_account_leads_to_loguserapp_too(
    browser: PersonBrowser, loguserapp: Server
) -> None:
    assert browser.get("/register?next=/loans").location.startswith(f"{loguserapp.url}/register?")


def test_a_person_who_is_logged_in_needs_no_login(browser: PersonBrowser, reader: Person) -> None:
    browser.log_in(reader.username)
    assert browser.get("/login?next=/loans").location == "/loans"


def test_a_token_that_has_ended_is_renewed(browser: PersonBrowser, reader: Person) -> None:
    browser.log_in(reader.username)
    before = browser.cookie(REFRESH)
    browser.set_cookie(ACCESS, "")
    assert browser.get("/loans").status_code == 200
    assert browser.cookie(ACCESS)
    assert browser.cookie(REFRESH) != before


def test_parallel_requests_renew_to_one_login(
    library: Flask, browser: PersonBrowser, reader: Person
) -> None:
    browser.log_in(reader.username)
    refresh, pages = browser.cookie(REFRESH), []
    start = threading.Barrier(8)

    def open_page() -> None:
        tab = PersonBrowser(library)
        tab.set_cookie(REFRESH, refresh)
        start.wait()
        pages.append((tab.get("/loans").status_code, tab.cookie(REFRESH)))

    tabs = [threading.Thread(target=open_page) for _ in range(8)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert {status for status, _ in pages} == {200}
    assert len({cookie for _, cookie in pages}) == 1


def test_a_login_that_ended_elsewhere_ends_here(
    browser: PersonBrowser, reader: Person, loguserapp: Server
) -> None:
    browser.log_in(reader.username)
    once(loguserapp.url, "POST", "/api/auth/logout/", refresh=browser.cookie(REFRESH))
    wait_until(lambda: browser.get("/loans").status_code == 303, "the logout to arrive", 5)
    assert browser.get("/loans").location == "/login?next=/loans"
    assert not browser.cookie(ACCESS)
    assert not browser.cookie(REFRESH)


def test_logging_out_ends_the_login_everywhere(
    browser: PersonBrowser, reader: Person, loguserapp: Server
) -> None:
    browser.log_in(reader.username)
    refresh = browser.cookie(REFRESH)
    page = browser.follow(browser.post("/logout"))
    assert "You are logged out." in page.text
    # loguserapp keeps a login of its own in this browser.
    assert f'<a href="{loguserapp.url}/">On a shared computer, log out there too</a>' in page.text
    assert not browser.cookie(REFRESH)
    renewed = once(loguserapp.url, "POST", "/api/auth/token/refresh/", refresh=refresh)
    assert renewed.status == 401


@pytest.mark.parametrize("value", ["x", "a.b.c", "\udcff", "é", "a" * 4000, "{{7*7}}"])
def test_a_cookie_that_is_no_token_is_dropped(browser: PersonBrowser, value: str) -> None:
    for name in (ACCESS, REFRESH):
        browser.set_cookie(name, value.encode("utf-8", "surrogateescape").decode("latin-1"))
    assert browser.get("/loans").location == "/login?next=/loans"
    assert not browser.cookie(REFRESH)
    assert browser.get("/").status_code == 200


def test_logging_out_needs_the_form(browser: PersonBrowser, reader: Person) -> None:
    browser.log_in(reader.username)
    assert browser.client.post("/logout").status_code == 400
    assert browser.is_logged_in()
    assert browser.get("/logout").location == "/"


def test_a_new_name_is_known_after_the_next_login(
    browser: PersonBrowser, make_person: Callable[..., Person], loguserapp: Server
) -> None:
    person = make_person()
    browser.log_in(person.username)
    new = f"{person.username}-new"
    token = log_in(loguserapp.url, person.username).access
    changed = once(
        loguserapp.url, "PATCH", "/api/auth/me/", token,
        username=new, current_password="mira-reads-47-books",
    )  # fmt: skip
    assert changed.status == 200
    browser.client.delete_cookie(ACCESS)
    browser.client.delete_cookie(REFRESH)
    assert new in browser.follow(browser.log_in(new)).text


def test_what_needs_no_login_works_without_loguserapp(
    make_app: Callable[..., Flask], loguserapp: Server, library_url: str, reader: Person
) -> None:
    browser = PersonBrowser(make_app(LOGUSERAPP_URL=loguserapp.url, APP_URL=library_url))
    unused_code = browser.code_path(reader.username)
    browser.log_in(reader.username)
    # Another process, that has neither keys nor list and cannot get them.
    alone = make_app(LOGUSERAPP_URL="http://127.0.0.1:9", APP_URL=library_url)
    browser.client = copy_cookies(browser, alone)
    page = browser.get("/")
    assert page.status_code == 200
    assert "Log in" not in page.text
    loans = browser.get("/loans")
    assert loans.status_code == 503
    assert loans.headers["Retry-After"]
    assert "Wait a minute" in loans.text
    assert browser.get(unused_code).status_code == 503
    assert browser.cookie(REFRESH)
    page = browser.follow(browser.post("/logout"))
    assert "logged out in this browser" in page.text


def copy_cookies(browser: PersonBrowser, app: Flask) -> FlaskClient:
    """A client of another process with the same cookies."""
    other = PersonBrowser(app)
    for name in (ACCESS, REFRESH, "perpustakaan_session"):
        other.set_cookie(name, browser.cookie(name))
    return other.client
