"""REGISTRATION=closed, and people who come from a provider: only who has an account gets in."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.application import DUMMY
from tests.support.browsing import Browser
from tests.support.databases import select, stored_rows
from tests.support.providers import SECRET, OpenIDMock, serving

# The mock calls a part of Authlib by its old name.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config")

PUBLIC = "http://127.0.0.1:5000"
FRONT_END = "https://app.example.com/signed-in"
CLIENT = {
    "redirect_uri": FRONT_END, "state": "abc", "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
}  # fmt: skip


@pytest.fixture(scope="module")
def company() -> Iterator[OpenIDMock]:
    mock = OpenIDMock()
    with serving(mock.app) as mock.url:
        mock.person("sari", name="Sari", email="sari@example.com", email_verified=True)
        mock.person("dummy", name="Dummy", email=DUMMY["email"], email_verified=True)
        yield mock


@pytest.fixture
def make(make_app: Callable[..., Flask], company: OpenIDMock) -> Callable[[str], Flask]:
    """The service with registration open or closed, on one database."""

    def make(registration: str) -> Flask:
        return make_app(
            registration=registration, oidc_name="Kantor", oidc_issuer=company.url,
            oidc_client_id="app", oidc_client_secret=SECRET, client_redirect_urls=(FRONT_END,),
            oidc_verified_domains=("example.com", "dummy.com"),
        )  # fmt: skip

    return make


def visit(browser: Browser, who: str, query: str = "") -> TestResponse:
    """Log in at the provider as this person there, and come back."""
    address = browser.get(f"/login/oidc{query}").headers["Location"]
    answer = requests.post(address, data={"sub": who}, allow_redirects=False, timeout=5)
    return browser.get(answer.headers["Location"].removeprefix(PUBLIC))


def test_a_first_visit_creates_nothing_and_says_why(
    make: Callable[..., Flask], database_url: str
) -> None:
    browser = Browser(make("closed"))
    refused = visit(browser, "sari")
    assert refused.status_code == 403
    assert "New accounts are not open here. Ask whoever runs this service" in refused.text
    assert 'href="/register"' not in refused.text
    assert stored_rows(database_url) == 0
    assert select(database_url, "SELECT * FROM identity") == []
    assert not browser.signed_in()
    assert browser.get("/welcome").headers["Location"].startswith("/login")


def test_a_front_end_is_told_access_denied(make: Callable[..., Flask], database_url: str) -> None:
    told = visit(Browser(make("closed")), "sari", f"?{urlencode(CLIENT)}")
    address = urlsplit(told.headers["Location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == FRONT_END
    assert parse_qs(address.query) == {"error": ["access_denied"], "state": ["abc"]}
    assert stored_rows(database_url) == 0


def test_who_came_before_it_closed_still_gets_in(make: Callable[..., Flask]) -> None:
    assert visit(Browser(make("open")), "sari").headers["Location"].startswith("/welcome")
    browser = Browser(make("closed"))
    assert visit(browser, "sari").headers["Location"] == "/"
    assert browser.signed_in()


def test_an_account_is_connected_by_its_password_and_never_declined(
    make: Callable[..., Flask], database_url: str
) -> None:
    app = make("closed")
    command = ["users", "create", DUMMY["username"], DUMMY["email"]]
    assert app.test_cli_runner().invoke(args=command, input=DUMMY["password"]).exit_code == 0
    browser = Browser(app)
    assert visit(browser, "dummy").headers["Location"] == "/login/connect"
    page = browser.get("/login/connect").text
    assert "/login/connect/decline" not in page, "an account of their own would be a new one"
    token = html.unescape(re.findall(r'name="csrf_token" value="([^"]+)"', page)[0])
    assert browser.post("/login/connect/decline", token).status_code == 403
    assert select(database_url, "SELECT count(*) FROM user") == [(1,)]
    assert browser.post("/login/connect", token, **DUMMY).status_code == 303
    assert browser.signed_in()
