"""The signed-in person's page, as a browser without JavaScript uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import BROWSER, DUMMY, bearer

Post = Callable[..., Any]


def token_of(page: str) -> str:
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def browser(app: Flask) -> Post:
    """A browser of its own: post(path, **fields) sends a form with the page's CSRF token."""
    client: FlaskClient = app.test_client()

    def post(path: str, **fields: str):
        token = token_of(client.get("/login", headers=BROWSER, follow_redirects=True).text)
        return client.post(path, data=fields | {"csrf_token": token}, headers=BROWSER)

    post.client = client
    return post


@pytest.fixture
def post(app: Flask, dummy: dict[str, str]) -> Post:
    signed_in = browser(app)
    assert signed_in("/login", **dummy).status_code == 303
    return signed_in


def page_of(post: Post) -> str:
    return post.client.get("/account", headers=BROWSER).text


def test_a_stranger_is_led_to_the_login_and_back(app: Flask, dummy: dict[str, str]) -> None:
    stranger = browser(app)
    led = stranger.client.get("/account", headers=BROWSER)
    assert (led.status_code, led.headers["Location"]) == (303, "/login?next=/account")
    back = stranger("/login", **dummy, next="/account")
    assert (back.status_code, back.headers["Location"]) == (303, "/account")


def test_a_program_has_no_account_page(client: FlaskClient, tokens: dict[str, Any]) -> None:
    refused = client.get("/account", headers=bearer(tokens["access_token"]))
    assert refused.status_code == 401
    assert client.post("/logout").status_code == 401


def test_the_page_shows_the_profile_and_the_sessions(post: Post) -> None:
    page = page_of(post)
    for shown in ("dummyuser", "dummy@dummy.com", "127.0.0.1", "This one"):
        assert shown in page


def test_a_profile_is_changed_and_the_page_knows_the_new_name(post: Post) -> None:
    fields = {"username": "Renamed", "email": "new@dummy.com"}
    refused = post("/account", **fields, current_password="wrong")
    assert refused.status_code == 403
    assert "That is not your current password" in refused.text
    assert 'value="Renamed"' in refused.text

    assert post("/account", **fields, current_password=DUMMY["password"]).status_code == 303
    assert "Renamed" in post.client.get("/", headers=BROWSER).text


def test_a_taken_name_is_told_beside_its_field(post: Post, client: FlaskClient) -> None:
    client.post("/register", data=DUMMY | {"username": "taken", "email": "taken@mail.com"})
    refused = post(
        "/account", username="TAKEN", email="a@b.com", current_password=DUMMY["password"]
    )
    assert refused.status_code == 409
    assert "That username is taken" in refused.text


def test_a_new_password_signs_out_everywhere_else(app: Flask, post: Post) -> None:
    elsewhere = browser(app)
    elsewhere("/login", **DUMMY)
    weak = post("/account/password", current_password=DUMMY["password"], new_password="dummyuser")
    assert weak.status_code == 400
    changed = post(
        "/account/password", current_password=DUMMY["password"], new_password="another1234"
    )
    assert changed.status_code == 303
    assert "This one" in page_of(post)
    assert elsewhere.client.get("/account", headers=BROWSER).status_code == 303


def test_another_session_is_signed_out(app: Flask, post: Post) -> None:
    elsewhere = browser(app)
    elsewhere("/login", **DUMMY)
    ends = re.findall(r'action="(/account/sessions/\d+/end)"', page_of(post))
    assert len(ends) == 2
    assert post(ends[0]).status_code == 303
    assert elsewhere.client.get("/account", headers=BROWSER).status_code == 303
    assert post(ends[0]).status_code == 404
    own = post(ends[1])
    assert (own.status_code, own.headers["Location"]) == (303, "/")
    assert post.client.get("/account", headers=BROWSER).status_code == 303


def test_logging_out_ends_the_session_and_its_token(post: Post, client: FlaskClient) -> None:
    home = post.client.get("/", headers=BROWSER).text
    token = re.search(r"eyJ[\w.-]+", home)
    assert token is not None
    assert client.get("/resource", headers=bearer(token[0])).status_code == 200
    left = post("/logout")
    assert (left.status_code, left.headers["Location"]) == (303, "/")
    assert client.get("/resource", headers=bearer(token[0])).status_code == 401
    assert token[0][:40] not in post.client.get("/", headers=BROWSER).text


def test_a_copied_cookie_dies_with_its_session(app: Flask, post: Post) -> None:
    copied = post.client.get_cookie("session")
    assert copied is not None
    post("/logout")
    thief = app.test_client()
    thief.set_cookie("session", copied.value)
    assert thief.get("/account", headers=BROWSER).status_code == 303


def test_an_account_is_deleted_with_the_password(post: Post) -> None:
    assert post("/account/delete", current_password="wrong").status_code == 403
    assert post("/account/delete", current_password=DUMMY["password"]).status_code == 303
    assert post.client.get("/account", headers=BROWSER).status_code == 303
    assert post("/login", **DUMMY).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/account", "/account/password", "/account/delete", "/logout", "/account/sessions/1/end"],
)
def test_a_form_from_elsewhere_changes_nothing(post: Post, path: str) -> None:
    fields = {
        "username": "x12", "email": "x@y.com", "current_password": DUMMY["password"],
        "new_password": "another1234",
    }  # fmt: skip
    forged = post.client.post(path, data=fields, headers=BROWSER)
    assert forged.status_code == 400
    json = post.client.post(path, data=fields, headers={"Accept": "application/json"})
    assert json.status_code == 401
    assert "dummyuser" in page_of(post)


def test_the_cookie_is_renewed_from_the_database_while_the_session_lasts(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(access_token_ttl=1)  # so that every request is past half of it
    person = browser(app)
    app.test_client().post("/register", data=DUMMY)
    person("/login", **DUMMY)
    first = person.client.get("/account", headers=BROWSER)
    assert first.status_code == 200
    ends = re.findall(r'action="(/account/sessions/\d+/end)"', first.text)
    person(ends[0])
    assert person.client.get("/account", headers=BROWSER).status_code == 303
