"""The headers of every answer: for pages, data, files and failures alike."""

from __future__ import annotations

import re

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from tests.support.application import BROWSER, SharedApps, bearer
from tests.support.browsing import Browser
from tests.support.environment import ROOT

PATHS = [
    "/", "/register", "/login", "/resource", "/account", "/docs", "/openapi.json", "/healthz",
    "/readyz", "/.well-known/jwks.json", "/nothing", "/api/auth/me/", "/static/style.css",
    "/static/nothing.css",
]  # fmt: skip
PUBLIC = {
    "/openapi.json", "/healthz", "/readyz", "/.well-known/jwks.json", "/static/nothing.css",
    "/metrics", "/static/style.css",
}  # fmt: skip
HTTPS = "https://login.example.com"
EVERYWHERE = pytest.mark.parametrize("path", PATHS)
EITHER_KIND = pytest.mark.parametrize("accept", [BROWSER["Accept"], "application/json"])


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def headers_of(client: FlaskClient, path: str, accept: str = "*/*") -> Headers:
    with client.get(path, headers={"Accept": accept}) as answer:
        return answer.headers


@EVERYWHERE
@EITHER_KIND
def test_every_answer_binds_the_browser(shared_client: FlaskClient, path: str, accept: str) -> None:
    headers = headers_of(shared_client, path, accept)
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == (
        "cross-origin" if path in {"/openapi.json", "/.well-known/jwks.json"} else "same-origin"
    )
    assert "camera=()" in headers["Permissions-Policy"]
    trusted = policy.get("require-trusted-types-for"), policy.get("trusted-types")
    assert trusted == ((None, None) if path == "/docs" else ("'script'", "'none'"))
    assert headers["X-Request-Id"]
    assert "Strict-Transport-Security" not in headers


@EVERYWHERE
@EITHER_KIND
def test_no_header_stands_twice(shared_client: FlaskClient, path: str, accept: str) -> None:
    names = [name for name, _ in headers_of(shared_client, path, accept)]
    assert sorted(names) == sorted(set(names))


@EVERYWHERE
def test_a_service_on_https_is_never_asked_over_http_again(
    shared_apps: SharedApps, path: str
) -> None:
    headers = headers_of(shared_apps.get(public_url=HTTPS).test_client(), path)
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


@EVERYWHERE
@EITHER_KIND
def test_an_answer_made_for_one_is_not_kept_for_another(
    shared_client: FlaskClient, path: str, accept: str
) -> None:
    headers = headers_of(shared_client, path, accept)
    if path == "/static/style.css":
        assert headers.get("Cache-Control") != "no-store"
    else:
        assert headers["Vary"] == (
            "Accept" if path in PUBLIC else "Accept, Accept-Language, Cookie"
        )
        public = path in {"/.well-known/jwks.json", "/openapi.json"}
        assert headers["Cache-Control"] == ("public, max-age=300" if public else "no-store")


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_what_is_the_same_for_everybody_neither_reads_nor_sets_a_cookie(
    app: Flask, dummy: dict[str, str], path: str
) -> None:
    browser = Browser(app)
    browser.post("/login", **dummy)
    assert "Set-Cookie" in browser.get("/").headers
    with browser.get(path) as answer:
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")


@EVERYWHERE
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_foreign_origin_is_not_let_in(shared_client: FlaskClient, path: str, method: str) -> None:
    sent = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    with shared_client.open(path, method=method, headers=sent) as answer:
        assert [name for name, _ in answer.headers if name.startswith("Access-Control")] == []
        assert "evil.example" not in str(answer.headers)


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL"])
def test_addresses_do_not_depend_on_what_the_request_says(
    app: Flask, client: FlaskClient, header: str, tokens: dict[str, str]
) -> None:
    sent = {header: "evil.example"}
    fields = {"username": "other", "email": "o@example.com", "password": "dummy1234"}
    registered = client.post("/register", data=fields, headers=sent)
    assert registered.headers["Location"].startswith("http://127.0.0.1:5000/")
    led = client.get("/account", headers=sent | BROWSER)
    assert "evil.example" not in f"{led.headers}{led.text}"
    assert "evil.example" not in client.get("/", headers=sent | BROWSER).text


def test_answers_with_tokens_are_kept_by_nobody(client: FlaskClient, dummy: dict[str, str]) -> None:
    answer = client.post("/login", data=dummy)
    assert "access_token" in answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_cat_is_in_the_answer_to_a_good_token_alone(app: Flask, tokens: dict[str, str]) -> None:
    browser = Browser(app)
    cat = "The orange cat purrs"
    assert cat not in browser.get("/resource").text
    assert cat not in browser.post("/resource", token="a.b.c").text
    assert cat in browser.post("/resource", token=tokens["access_token"]).text
    assert app.test_client().get("/static/purring.svg").status_code == 404
    assert app.test_client().get("/static/cats/purring.svg").status_code == 404


@pytest.mark.parametrize("accept", ["*/*", "", "application/json", "text/plain", "image/png"])
def test_who_does_not_prefer_a_page_is_a_program(shared_apps: SharedApps, accept: str) -> None:
    client = shared_apps.get().test_client()
    sent = bearer(shared_apps.tokens()["access_token"]) | {"Accept": accept}
    assert client.get("/resource", headers=sent).get_json() == {"message": "akses sukses"}
    assert client.get("/resource", headers={"Accept": accept}).is_json


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html"),
        (BROWSER["Accept"], "text/html"),
        ("text/html,application/json;q=0.9", "text/html"),
        ("text/html;q=0.8,application/json", "application/problem+json"),
        ("text/html,application/json", "application/problem+json"),
        ("text/html;q=0", "application/problem+json"),
        ("text/html, application/xhtml+xml, */*", "text/html"),
        ("*/*;q=0.5,application/json;q=0.5,text/html;q=0.5", "application/problem+json"),
        ("a/b," * 500 + "text/html", "text/html"),
        ("a/b," * 600 + "text/html", "application/problem+json"),
    ],
)
def test_the_preferred_kind_is_given(shared_client: FlaskClient, accept: str, kind: str) -> None:
    assert shared_client.get("/nothing", headers={"Accept": accept}).mimetype == kind


@pytest.mark.parametrize("filename", ["style.css", "app.js", "favicon.svg"])
def test_a_static_file_is_kept_for_good_under_its_fingerprint(app: Flask, filename: str) -> None:
    """D13: the address of a page's part changes with its content, and so is asked for once."""
    with app.test_request_context():
        address = url_for("static", filename=filename)
    client = app.test_client()
    with client.get(address) as answer:
        assert answer.headers.getlist("Cache-Control") == ["public, max-age=31536000, immutable"]
    with client.get(address, headers={"If-None-Match": answer.headers["ETag"]}) as again:
        assert again.status_code == 304
    path, _, _ = address.partition("?")
    for other in (path, f"{path}?v=", f"{path}?v=000000000000"):
        with client.get(other) as answer:
            assert answer.headers["Cache-Control"] == "no-cache"
    with client.get(address.replace(filename, "nothing.css")) as missing:
        assert missing.headers["Cache-Control"] == "no-store"


def test_a_style_sheet_names_pictures_by_their_fingerprint(app: Flask) -> None:
    """D13: url_for() adds it elsewhere; after a change of the picture, write the new one."""
    named = 0
    for sheet in (ROOT / "app" / "static").glob("*.css"):
        for address in re.findall(r'url\("([^"]+)"\)', sheet.read_text(encoding="utf-8")):
            with app.test_request_context():
                filename = address.partition("?")[0]
                assert f"/static/{address}" == url_for("static", filename=filename)
            named += 1
    assert named
