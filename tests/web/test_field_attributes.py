"""The inputs of every page carry the field rules, which are stated once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask, render_template

from app.accounts.email_rule import MAX_EMAIL
from app.accounts.username_rule import MAX_USERNAME, MIN_USERNAME, USERNAME_PATTERN
from app.models import User
from app.passwords.policy import MAX_BYTES, MIN_CHARACTERS, TOO_LONG
from app.social.forms import ConnectForm, FirstLoginForm
from tests.support.application import BROWSER, DUMMY
from tests.support.browsing import Browser
from tests.support.environment import ROOT

TEMPLATES = sorted((ROOT / "app" / "templates").rglob("*.html"))

USERNAME = {
    "type": "text", "autocomplete": "username", "minlength": f"{MIN_USERNAME}",
    "data-maxbytes": f"{MAX_USERNAME}", "pattern": USERNAME_PATTERN,
    "data-short": f"That is short: use at least {MIN_USERNAME} characters.",
    "data-long": f"That is long: use at most {MAX_USERNAME} characters.",
}  # fmt: skip
EMAIL = {
    "type": "email", "autocomplete": "email", "inputmode": "email",
    "data-maxbytes": f"{MAX_EMAIL}",
    "data-long": f"That is long: use at most {MAX_EMAIL} characters.",
}  # fmt: skip
NEW_PASSWORD = {
    "type": "password", "autocomplete": "new-password", "minlength": f"{MIN_CHARACTERS}",
    "data-maxbytes": f"{MAX_BYTES}",
    "data-short": f"That is short: use at least {MIN_CHARACTERS} characters.",
    "data-long": str(TOO_LONG),
}  # fmt: skip
OWN_NAME = {"type": "text", "autocomplete": "username", "minlength": None}
OWN_PASSWORD = {"type": "password", "autocomplete": "current-password", "minlength": None}
TOKEN = {"autocomplete": "off", "spellcheck": "false", "class": "mono"}

# What a page's inputs have, by their ids.
PAGES: Mapping[str, Mapping[str, Mapping[str, str | None]]] = {
    "/register": {"username": USERNAME, "email": EMAIL, "password": NEW_PASSWORD},
    "/login": {"username": OWN_NAME, "password": OWN_PASSWORD, "keep": {"type": "checkbox"}},
    "/resource": {"token": TOKEN},
    "/account/profile": {
        "username": USERNAME, "email": EMAIL, "current_password": OWN_PASSWORD,
    },
    "/account/password": {"current_password": OWN_PASSWORD, "new_password": NEW_PASSWORD},
    "/account/delete": {
        "username": {"type": "text", "autocomplete": "off"}, "current_password": OWN_PASSWORD,
    },
    "social/welcome.html": {"username": USERNAME, "email": EMAIL},
    "social/connect.html": {"username": OWN_NAME, "password": OWN_PASSWORD},
}  # fmt: skip
FORMS = {"social/welcome.html": FirstLoginForm, "social/connect.html": ConnectForm}


class Inputs(HTMLParser):
    """The attributes of every labelled input of a page, by its id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in {"input", "textarea"} and attributes.get("id"):
            self.found[attributes["id"] or ""] = attributes


def page(app: Flask, name: str) -> str:
    if name in FORMS:
        with app.test_request_context(headers=BROWSER):
            return render_template(name, form=FORMS[name](formdata=None), next="/")
    browser = Browser(app)
    if name.startswith("/account/"):
        assert browser.post("/login", **DUMMY).status_code == 303
    return browser.get(name).text


@pytest.mark.parametrize("name", PAGES)
def test_inputs_have_the_limits_of_their_fields(
    app: Flask, dummy: dict[str, str], name: str
) -> None:
    inputs = Inputs(page(app, name)).found
    assert set(inputs) == set(PAGES[name])
    for key, expected in PAGES[name].items():
        attributes = inputs[key]
        assert {name: attributes.get(name) for name in expected} == expected
        if attributes.get("type") == "checkbox":
            continue
        assert "required" in attributes
        assert attributes["data-missing"]
        assert attributes["aria-describedby"] == f"{key}-note"


def test_a_refused_field_is_marked_and_keeps_what_was_typed(app: Flask) -> None:
    fields = {"username": 'a"b<c', "email": "dummy@dummy.com", "password": "short"}
    inputs = Inputs(Browser(app).post("/register", **fields).text).found
    marks = {name: attributes.get("aria-invalid") for name, attributes in inputs.items()}
    assert marks == {"username": "true", "email": None, "password": "true"}
    assert {name: attributes["value"] for name, attributes in inputs.items()} == {
        "username": 'a"b<c', "email": "dummy@dummy.com", "password": "",
    }  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_templates_repeat_no_rule(template: Any) -> None:
    text = re.sub(r"\{#.*?#\}", "", template.read_text("utf-8"), flags=re.DOTALL)
    rules = r"(?:min|max)length|data[-_](?:maxbytes|missing|short|long|mismatch)|pattern="
    assert re.findall(rules, text) == []


def test_the_columns_have_room_for_what_the_rules_allow() -> None:
    lengths = [getattr(User.__table__.c[name].type, "length", 0) for name in ("username", "email")]
    assert lengths == [MAX_USERNAME, MAX_EMAIL]
