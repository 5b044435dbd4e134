"""Which scripts of other hosts may read an answer: CLIENT_REDIRECT_URLS names them, with no cookie.

Fetch §3.3: a browser gives an answer to a script of another origin if it is named in
Access-Control-Allow-Origin; with cookies only if Access-Control-Allow-Credentials says so too.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from tests.support.application import DUMMY, SharedApps, assert_problem, bearer
from tests.support.browsing import Browser

NAMED = "https://app.example.com"
WITH_PORT = "http://127.0.0.1:3000"
REDIRECTS = (f"{NAMED}/login/done", f"{WITH_PORT}/callback")
OTHERS = [
    "https://evil.example", "http://app.example.com", f"{NAMED}:8443", f"{NAMED}.evil.example",
    "https://evil-app.example.com", "https://APP.example.com", f"{NAMED}/", "http://127.0.0.1",
    "http://127.0.0.1:5000", "https://www.app.example.com", "null", "*", "",
]  # fmt: skip
ELSEWHERE = [
    "/", "/login", "/register", "/resource", "/account", "/logout", "/healthz", "/openapi.json",
    "/.well-known/jwks.json", "/static/style.css", "/api", "/api/authors/",
]  # fmt: skip
API = ["/api/auth/me/", "/api/auth/login/", "/api/auth/token/refresh/", "/api/auth/nothing/"]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """With two front ends on other hosts."""
    return make_app(client_redirect_urls=REDIRECTS)


@pytest.fixture
def shared_client(shared_apps: SharedApps) -> FlaskClient:
    """The same, for what changes nothing."""
    return shared_apps.get(client_redirect_urls=REDIRECTS).test_client()


def cors(answer: Response) -> dict[str, str]:
    """What an answer says to the scripts of other origins."""
    return {n: value for n, value in answer.headers if n.startswith("Access-Control-")}


def varies_by_origin(answer: Response) -> bool:
    return "Origin" in ", ".join(answer.headers.getlist("Vary")).split(", ")


def preflight(client: FlaskClient, path: str, origin: str) -> TestResponse:
    """Ask as a browser does before a script sends JSON or a token."""
    asked = {
        "Origin": origin, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
        "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors",
    }  # fmt: skip
    return client.options(path, headers=asked)


# --- installed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [NAMED, WITH_PORT])
@pytest.mark.parametrize("path", API)
def test_a_named_origin_is_let_read(shared_client: FlaskClient, path: str, origin: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = shared_client.open(path, method=method, headers={"Origin": origin})
        assert answer.status_code >= 400  # a refusal too: the front end shows what it says
        assert cors(answer) == {"Access-Control-Allow-Origin": origin}
        assert varies_by_origin(answer)


@pytest.mark.parametrize("origin", OTHERS)
@pytest.mark.parametrize("path", API)
def test_no_other_origin_is(shared_client: FlaskClient, path: str, origin: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = shared_client.open(path, method=method, headers={"Origin": origin})
        assert cors(answer) == {}
        assert varies_by_origin(answer)  # a cache must not give it to a named origin


@pytest.mark.parametrize("path", API)
def test_without_an_origin_nothing_is_said(shared_client: FlaskClient, path: str) -> None:
    answer = shared_client.get(path)
    assert cors(answer) == {}
    assert varies_by_origin(answer)


@pytest.mark.parametrize("path", ELSEWHERE)
def test_what_is_not_the_token_api_stays_closed(shared_client: FlaskClient, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        with shared_client.open(path, method=method, headers={"Origin": NAMED}) as answer:
            assert cors(answer) == {}
            assert not varies_by_origin(answer)


@pytest.mark.parametrize("path", API[:-1])
def test_a_preflight_says_what_a_named_origin_may_send(
    shared_client: FlaskClient, path: str
) -> None:
    answer = preflight(shared_client, path, NAMED)
    assert answer.status_code == 200
    allowed = cors(answer)
    assert allowed.pop("Access-Control-Allow-Origin") == NAMED
    methods = allowed.pop("Access-Control-Allow-Methods").split(", ")
    assert set(methods) == {"GET", "POST", "PATCH", "DELETE"}
    sent = allowed.pop("Access-Control-Allow-Headers").lower().split(", ")
    assert set(sent) == {"authorization", "content-type"}
    assert allowed == {"Access-Control-Max-Age": "600"}


@pytest.mark.parametrize("origin", OTHERS)
def test_a_preflight_from_elsewhere_allows_nothing(shared_client: FlaskClient, origin: str) -> None:
    assert cors(preflight(shared_client, "/api/auth/login/", origin)) == {}


def test_a_front_end_logs_in_and_uses_the_token(client: FlaskClient, dummy: dict[str, str]) -> None:
    sent = {"Origin": NAMED, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    answer = client.post("/api/auth/login/", json=DUMMY, headers=sent)
    assert (answer.status_code, cors(answer)["Access-Control-Allow-Origin"]) == (200, NAMED)
    mine = client.get("/api/auth/me/", headers=sent | bearer(answer.get_json()["access"]))
    assert mine.get_json()["username"] == DUMMY["username"]
    assert cors(mine) == {"Access-Control-Allow-Origin": NAMED}


def test_another_sites_script_does_not_log_in(client: FlaskClient, dummy: dict[str, str]) -> None:
    sent = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/api/auth/login/", json=DUMMY, headers=sent)
    assert_problem(answer, 403, "forbidden")
    assert cors(answer) == {}


def test_a_named_origin_does_not_log_in_by_the_form(
    client: FlaskClient, dummy: dict[str, str]
) -> None:
    sent = {"Origin": NAMED, "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/login", json=DUMMY, headers=sent)
    assert_problem(answer, 403, "forbidden")
    assert cors(answer) == {}


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_cookie_is_no_credential_there(app: Flask, dummy: dict[str, str], accept: str) -> None:
    browser = Browser(app)
    assert browser.post("/login", **dummy).status_code == 303
    sent = {"Origin": NAMED, "Sec-Fetch-Site": "cross-site", "Accept": accept}
    answer = browser.send("GET", "/api/auth/me/", headers=sent)
    assert answer.status_code == 401
    assert cors(answer) == {"Access-Control-Allow-Origin": NAMED}  # and no credentials
    assert "Set-Cookie" not in answer.headers


# --- not installed -------------------------------------------------------------------------------


@pytest.fixture
def closed(shared_app: Flask) -> FlaskClient:
    """A client of a service for which no front end is named."""
    return shared_app.test_client()


@pytest.mark.parametrize("origin", [NAMED, *OTHERS])
@pytest.mark.parametrize("path", API)
def test_without_the_setting_no_origin_is_named(
    closed: FlaskClient, path: str, origin: str
) -> None:
    methods = ("GET", "POST", "OPTIONS")
    answers = [closed.open(path, method=m, headers={"Origin": origin}) for m in methods]
    for answer in [*answers, preflight(closed, path, origin)]:
        assert cors(answer) == {}
        assert not varies_by_origin(answer)
