"""What another site, another person or a forged form cannot do through somebody's browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from app.web import marks
from tests.support.application import BROWSER, DUMMY, assert_problem
from tests.support.browsing import Browser
from tests.support.databases import select, stored_rows

HTTPS = "https://login.example.com"
ELSEWHERE = [
    "//evil.example", "/\\evil.example", "\\/evil.example", "\\\\evil.example", "\t//evil.example",
    " //evil.example", "/\t/evil.example", "/\n/evil.example", "///evil.example",
    "https://evil.example", "https:evil.example", "javascript:alert(1)", "evil.example", "/\x00/e",
    "/\u3000/evil.example", "//[evil", "/\\\t/evil.example", "",
]  # fmt: skip


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def signed_in(app: Flask, dummy: dict[str, str]) -> Browser:
    browser = Browser(app)
    assert browser.post("/login", **dummy).status_code == 303
    return browser


# --- cookies -----------------------------------------------------------------------------------


def test_the_program_flow_sets_no_cookie(client: FlaskClient, app: Flask) -> None:
    answers = [
        client.post("/register", data=DUMMY), client.post("/register", data=DUMMY),
        client.post("/login", data=DUMMY), client.post("/login", data={}), client.get("/resource"),
        client.get("/"), client.get("/healthz"), client.post("/logout"), client.get("/nothing"),
    ]  # fmt: skip
    assert [answer.headers.get("Set-Cookie") for answer in answers] == [None] * len(answers)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/resource"), ("POST", "/logout"), ("GET", "/account")]
)
@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_the_program_flow_reads_no_cookie(
    signed_in: Browser, method: str, path: str, accept: str
) -> None:
    answer = signed_in.send(method, path, headers={"Accept": accept})
    assert_problem(answer, 401, "token_missing")
    assert signed_in.signed_in()


def test_a_cookie_opens_nothing_of_the_token_api(signed_in: Browser) -> None:
    assert signed_in.get("/api/auth/me/").status_code == 401


def test_a_cookie_on_http_is_for_this_site_and_not_for_scripts(shared_app: Flask) -> None:
    (cookie,) = Browser(shared_app).get("/login").headers.getlist("Set-Cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("session=")
    assert sorted(part for part in attributes if not part.startswith("Expires")) == [
        "HttpOnly", "Path=/", "SameSite=Lax",
    ]  # fmt: skip


def test_a_cookie_on_https_is_bound_to_the_host(
    make_app: Callable[..., Flask], dummy: dict[str, str]
) -> None:
    browser = Browser(make_app(public_url=HTTPS), HTTPS)
    cookies = browser.post("/login", **dummy).headers.getlist("Set-Cookie")
    names = {cookie.partition("=")[0] for cookie in cookies}
    assert names == {"__Host-session", "__Host-known"}
    for cookie in cookies:
        attributes = [part.partition("=")[0] for part in cookie.split("; ")[1:]]
        assert {"HttpOnly", "Path", "SameSite", "Secure"} <= set(attributes)
        assert {"Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in attributes


def test_a_cookie_that_was_changed_is_nobodys(signed_in: Browser, app: Flask) -> None:
    value = signed_in.cookie()
    assert value
    for forged in (f"{value}x", value[:-1], value.swapcase(), "", "\xff", "a.b.c", "." * 5000):
        client = app.test_client(use_cookies=False)
        answer = client.get("/", headers=BROWSER | {"Cookie": f"session={forged}"})
        assert answer.status_code == 200
        assert "/logout" not in answer.text


# --- forged forms --------------------------------------------------------------------------------


def forms(app: Flask) -> list[Rule]:
    """Every address at which a browser posts a form."""
    rules = app.url_map.iter_rules()
    return [r for r in rules if "POST" in (r.methods or ()) and not r.rule.startswith("/api/")]


@pytest.mark.parametrize("token", ["", "forged", "\xff", "of another browser"])
def test_a_form_without_the_browsers_own_token_changes_nothing(
    app: Flask, signed_in: Browser, database_url: str, token: str
) -> None:
    token = Browser(app).csrf_token() if token.startswith("of") else token
    before = (
        select(database_url, "SELECT * FROM user"),
        select(database_url, "SELECT * FROM session"),
    )
    paths = [re.sub("<[^>]+>", "1", rule.rule) for rule in forms(app)]
    assert {"/login", "/logout", "/register", "/resource", "/account/profile"} <= set(paths)
    for path in paths:
        answer = signed_in.post(path, token, **DUMMY | {"username": "other"})
        # The page of the form once more, or the way to it.
        assert (answer.status_code in {400, 303}, answer.mimetype) == (True, "text/html")
    after = (
        select(database_url, "SELECT * FROM user"),
        select(database_url, "SELECT * FROM session"),
    )
    assert before == after
    assert signed_in.signed_in()


def test_a_form_without_any_cookie_is_refused(app: Flask, dummy: dict[str, str]) -> None:
    client = app.test_client(use_cookies=False)
    assert client.post("/login", data=dummy, headers=BROWSER).status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/octet-stream"])
def test_a_form_of_another_kind_changes_nothing(signed_in: Browser, kind: str) -> None:
    answer = signed_in.send("POST", "/logout", data='{"a":"="}', content_type=kind)
    assert answer.status_code == 303
    assert signed_in.signed_in()


def test_a_cookie_with_a_programs_accept_changes_nothing(
    signed_in: Browser, database_url: str
) -> None:
    before = stored_rows(database_url)
    sent = {"headers": {"Accept": "application/json"}}
    token = signed_in.csrf_token()
    ended = signed_in.send("POST", "/logout", data={"csrf_token": token}, **sent)
    assert ended.status_code == 401
    deleted = signed_in.send("POST", "/account/delete", data={"current_password": "x"}, **sent)
    assert deleted.status_code == 401
    plain = signed_in.send("POST", "/register", data="{}", content_type="text/plain", **sent)
    assert plain.status_code == 415
    assert stored_rows(database_url) == before
    assert signed_in.signed_in()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_asking_changes_nothing(app: Flask, signed_in: Browser, method: str) -> None:
    paths = {rule.rule for rule in app.url_map.iter_rules() if "<" not in rule.rule}
    for path in paths:
        assert signed_in.send(method, path).status_code < 500
    assert signed_in.signed_in()


# --- sessions ------------------------------------------------------------------------------------


def test_logging_in_makes_the_session_new(app: Flask, dummy: dict[str, str]) -> None:
    browser = Browser(app)
    token, cookie = browser.csrf_token(), browser.cookie()
    assert browser.post("/login", token, **dummy).status_code == 303
    assert browser.cookie() != cookie
    assert browser.post("/logout", token).status_code == 303
    assert browser.signed_in()


def test_a_cookie_from_before_the_logout_opens_nothing(app: Flask, signed_in: Browser) -> None:
    cookie = signed_in.cookie()
    assert signed_in.post("/logout").status_code == 303
    client = app.test_client(use_cookies=False)
    page = client.get("/", headers=BROWSER | {"Cookie": f"session={cookie}"}).text
    assert "/logout" not in page


# --- what a person typed, and where a person goes -----------------------------------------------


def test_what_was_typed_is_escaped(app: Flask) -> None:
    evil = "\"'><script>alert(1)</script>"
    answer = Browser(app).post("/register", username=evil, email=evil, password=evil)
    assert answer.status_code == 400
    assert "alert(1)" in answer.text
    assert "<script>alert" not in answer.text
    assert "\"'>" not in answer.text


@pytest.mark.parametrize("onward", ELSEWHERE)
def test_a_login_leads_to_no_other_site(app: Flask, dummy: dict[str, str], onward: str) -> None:
    browser = Browser(app)
    led = browser.post("/login", **dummy, next=onward)
    assert (led.status_code, led.headers["Location"]) == (303, "/")
    again = browser.send("GET", "/login", query_string={"next": onward})
    assert (again.status_code, again.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("onward", ELSEWHERE)
def test_the_login_form_names_no_other_site(shared_app: Flask, onward: str) -> None:
    page = Browser(shared_app).send("GET", "/login", query_string={"next": onward}).text
    assert 'name="next" value="/"' in page


@pytest.mark.parametrize("onward", ["/resource", "/account?a=b&c=//d", "/a/%2f/b#c"])
def test_a_login_leads_on_within_the_site(app: Flask, dummy: dict[str, str], onward: str) -> None:
    led = Browser(app).post("/login", **dummy, next=onward)
    assert (led.status_code, led.headers["Location"]) == (303, onward)


# --- who may pass ---------------------------------------------------------------------------------


def test_every_view_that_is_not_public_asks_who_is_there(app: Flask, client: FlaskClient) -> None:
    guarded = [
        (method, rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if getattr(app.view_functions[rule.endpoint], "access", "public") != "public"
    ]
    assert len(guarded) > 5
    for method, rule in guarded:
        values = {name: "google" if name == "provider" else 1 for name in rule.arguments}
        path = app.url_map.bind("").build(rule.endpoint, values, method)
        answer = client.open(path, method=method)
        assert (path, answer.status_code) == (path, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_view_that_does_not_say_whom_it_lets_pass_stops_the_start(app: Flask) -> None:
    unmarked: Any = lambda: "anybody"  # noqa: E731
    app.view_functions["forgotten"] = unmarked
    with pytest.raises(RuntimeError, match="forgotten"):
        marks.require_access_marks(app)
