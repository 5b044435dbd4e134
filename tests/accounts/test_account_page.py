"""The settings pages of a logged-in person, as a browser without JavaScript uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.application import BROWSER, DUMMY, bearer


class Form:
    """A browser of its own, whose forms carry the CSRF token of its pages."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def __call__(self, path: str, **fields: str) -> TestResponse:
        """Send a form."""
        token = token_of(self.client.get("/login", headers=BROWSER, follow_redirects=True).text)
        return self.client.post(path, data=fields | {"csrf_token": token}, headers=BROWSER)


def token_of(page: str) -> str:
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


@pytest.fixture
def post(app: Flask, dummy: dict[str, str]) -> Form:
    signed_in = Form(app)
    assert signed_in("/login", **dummy).status_code == 303
    return signed_in


def page_of(post: Form, section: str = "devices") -> str:
    return post.client.get(f"/account/{section}", headers=BROWSER).text


def logged_in(post: Form) -> bool:
    return post.client.get("/account/profile", headers=BROWSER).status_code == 200


def test_a_stranger_is_led_to_the_login_and_back(app: Flask, dummy: dict[str, str]) -> None:
    stranger = Form(app)
    led = stranger.client.get("/account", headers=BROWSER)
    assert (led.status_code, led.headers["Location"]) == (303, "/login?next=/account")
    back = stranger("/login", **dummy, next="/account")
    assert (back.status_code, back.headers["Location"]) == (303, "/account")


def test_a_program_has_no_account_page(client: FlaskClient, tokens: dict[str, Any]) -> None:
    refused = client.get("/account", headers=bearer(tokens["access_token"]))
    assert refused.status_code == 401
    assert client.post("/logout").status_code == 401


def test_the_page_shows_the_profile_and_the_sessions(post: Form) -> None:
    for section, shown in [
        ("profile", "dummyuser"), ("profile", "dummy@dummy.com"),
        ("devices", "127.0.0.1"), ("devices", "This device"),
    ]:  # fmt: skip
        assert shown in page_of(post, section)


def test_a_profile_is_changed_and_the_page_knows_the_new_name(post: Form) -> None:
    fields = {"username": "Renamed", "email": "new@dummy.com"}
    refused = post("/account/profile", **fields, current_password="wrong")
    assert refused.status_code == 403
    assert "That is not your current password" in refused.text
    assert 'value="Renamed"' in refused.text

    assert post("/account/profile", **fields, current_password=DUMMY["password"]).status_code == 303
    assert "Renamed" in post.client.get("/", headers=BROWSER).text


def test_a_taken_name_is_told_beside_its_field(post: Form, client: FlaskClient) -> None:
    client.post("/register", data=DUMMY | {"username": "taken", "email": "taken@mail.com"})
    refused = post(
        "/account/profile", username="TAKEN", email="a@b.com", current_password=DUMMY["password"]
    )
    assert refused.status_code == 409
    assert "That username is taken. Try another." in refused.text  # D17: and no "log in"


def test_a_new_password_signs_out_everywhere_else(app: Flask, post: Form) -> None:
    elsewhere = Form(app)
    elsewhere("/login", **DUMMY)
    weak = post("/account/password", current_password=DUMMY["password"], new_password="dummyuser")
    assert weak.status_code == 400
    changed = post(
        "/account/password", current_password=DUMMY["password"], new_password="another1234"
    )
    assert changed.status_code == 303
    assert "This device" in page_of(post)
    assert elsewhere.client.get("/account", headers=BROWSER).status_code == 303


def test_another_session_is_signed_out(app: Flask, post: Form) -> None:
    elsewhere = Form(app)
    elsewhere("/login", **DUMMY)
    ends = re.findall(r'action="(/account/devices/\d+/end)"', page_of(post))
    assert len(ends) == 2
    assert post(ends[0]).status_code == 303
    assert elsewhere.client.get("/account", headers=BROWSER).status_code == 303
    again = post(ends[0])  # a second click
    assert (again.status_code, again.headers["Location"]) == (303, "/account/devices")
    own = post(ends[1])
    assert (own.status_code, own.headers["Location"]) == (303, "/")
    assert "You are logged out." in post.client.get("/", headers=BROWSER).text
    assert not logged_in(post)


def test_logging_out_ends_the_session_and_its_token(post: Form, client: FlaskClient) -> None:
    home = post.client.get("/", headers=BROWSER).text
    token = re.search(r"eyJ[\w.-]+", home)
    assert token is not None
    assert client.get("/resource", headers=bearer(token[0])).status_code == 200
    left = post("/logout")
    assert (left.status_code, left.headers["Location"]) == (303, "/")
    assert client.get("/resource", headers=bearer(token[0])).status_code == 401
    assert token[0][:40] not in post.client.get("/", headers=BROWSER).text


def test_a_copied_cookie_dies_with_its_session(app: Flask, post: Form) -> None:
    copied = post.client.get_cookie("session")
    assert copied is not None
    post("/logout")
    thief = app.test_client()
    thief.set_cookie("session", copied.value)
    assert thief.get("/account", headers=BROWSER).status_code == 303


def test_an_account_is_deleted_with_the_password(post: Form) -> None:
    assert post("/account/delete", current_password="wrong").status_code == 403
    assert post("/account/delete", current_password=DUMMY["password"]).status_code == 303
    assert post.client.get("/account", headers=BROWSER).status_code == 303
    assert post("/login", **DUMMY).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/account/profile",
        "/account/password",
        "/account/delete",
        "/logout",
        "/account/devices/1/end",
        "/account/devices/end-others",
    ],
)
def test_a_form_from_elsewhere_changes_nothing(post: Form, path: str) -> None:
    fields = {
        "username": "x12", "email": "x@y.com", "current_password": DUMMY["password"],
        "new_password": "another1234",
    }  # fmt: skip
    forged = post.client.post(path, data=fields, headers=BROWSER)
    is_button = path == "/logout" or "devices" in path
    assert forged.status_code == (303 if is_button else 400)
    json = post.client.post(path, data=fields, headers={"Accept": "application/json"})
    assert json.status_code == 401
    assert "dummyuser" in page_of(post, "profile")


def test_the_cookie_is_renewed_from_the_database_while_the_session_lasts(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(access_token_ttl=1)  # so that every request is past half of it
    person = Form(app)
    app.test_client().post("/register", data=DUMMY)
    person("/login", **DUMMY)
    first = person.client.get("/account/devices", headers=BROWSER)
    assert first.status_code == 200
    ends = re.findall(r'action="(/account/devices/\d+/end)"', first.text)
    person(ends[0])
    assert person.client.get("/account", headers=BROWSER).status_code == 303


# --- the pages -----------------------------------------------------------------------------------

SECTIONS = ("profile", "password", "devices", "connections", "delete")


def test_the_account_leads_to_the_first_of_its_pages(post: Form) -> None:
    led = post.client.get("/account", headers=BROWSER)
    assert (led.status_code, led.headers["Location"]) == (303, "/account/profile")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_page_lists_all_and_marks_itself(post: Form, section: str) -> None:
    page = page_of(post, section)
    for other in SECTIONS:
        mark = ' aria-current="page"' if other == section else ""
        assert f'<a href="/account/{other}"{mark}>' in page


@pytest.mark.parametrize("section", SECTIONS)
def test_a_stranger_comes_back_to_the_page_after_the_login(app: Flask, section: str) -> None:
    led = app.test_client().get(f"/account/{section}", headers=BROWSER)
    assert led.headers["Location"] == f"/login?next=/account/{section}"


@pytest.mark.parametrize(
    ("button", "page"),
    [
        ("devices/7/end", "devices"), ("devices/end-others", "devices"),
        ("connections/connect/google", "connections"),
        ("connections/confirm/google", "connections"), ("connections/7/disconnect", "connections"),
    ],
)  # fmt: skip
def test_the_address_of_a_button_leads_to_its_page(post: Form, button: str, page: str) -> None:
    """D6: reopened by Enter in the address bar, or by a phone that dropped the tab."""
    led = post.client.get(f"/account/{button}", headers=BROWSER)
    assert (led.status_code, led.headers["Location"]) == (303, f"/account/{page}")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_password_manager_finds_the_page(post: Form, slash: str) -> None:
    """D27: the well-known address of the W3C."""
    led = post.client.get(f"/.well-known/change-password{slash}", headers=BROWSER)
    assert (led.status_code, led.headers["Location"]) == (303, "/account/password")


def test_saving_what_is_there_already_saves_nothing(post: Form) -> None:
    """D17."""
    fields = {name: DUMMY[name] for name in ("username", "email")}
    post("/account/profile", **fields, current_password=DUMMY["password"])
    page = page_of(post, "profile")
    assert "Nothing has changed" in page
    assert "Your changes are saved" not in page


def test_the_same_password_is_no_new_one(app: Flask, post: Form) -> None:
    """D17."""
    elsewhere = Form(app)
    elsewhere("/login", **DUMMY)
    same = {"current_password": DUMMY["password"], "new_password": DUMMY["password"]}
    refused = post("/account/password", **same)
    assert refused.status_code == 400
    assert "The new password is the current one." in refused.text
    assert logged_in(elsewhere)


def test_all_other_devices_are_logged_out_at_once(app: Flask, post: Form) -> None:
    others = [Form(app), Form(app)]
    for other in others:
        other("/login", **DUMMY)
    assert "Log out everywhere else" in page_of(post)
    left = post("/account/devices/end-others")
    assert (left.status_code, left.headers["Location"]) == (303, "/account/devices")
    page = page_of(post)
    assert "2 other devices are logged out." in page
    assert "Log out everywhere else" not in page
    assert [logged_in(other) for other in others] == [False, False]
    post("/account/devices/end-others")
    assert "You were not logged in on any other device." in page_of(post)


def test_nobody_logs_out_the_device_of_another(app: Flask, post: Form) -> None:
    fields = {"username": "other", "email": "other@mail.com", "password": "correct horse"}
    app.test_client().post("/register", data=fields)
    stranger = Form(app)
    stranger("/login", **fields)
    (own,) = re.findall(r'action="(/account/devices/\d+/end)"', page_of(post))
    stranger(own)
    stranger("/account/devices/end-others")
    assert logged_in(post)


@pytest.mark.parametrize("typed", ["", "another"])
def test_an_account_is_not_deleted_without_its_name(post: Form, typed: str) -> None:
    refused = post("/account/delete", username=typed, current_password=DUMMY["password"])
    assert refused.status_code == 400
    assert '<details class="danger" open>' in refused.text
    assert '<details class="danger">' in page_of(post, "delete")
    deleted = post("/account/delete", username=" DummyUser ", current_password=DUMMY["password"])
    assert (deleted.status_code, deleted.headers["Location"]) == (303, "/")
