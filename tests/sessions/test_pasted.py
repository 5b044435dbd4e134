"""What people paste at /resource is forgiven where it holds an access token (D4)."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from flask import Flask

from app.sessions.pasted import token_in
from tests.support.browsing import Browser


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.mark.parametrize(
    "pasted",
    [
        "a.b.c", " a.b.c\r\n", '"a.b.c"', "'a.b.c'", '"a.b.c",', "Bearer a.b.c", "bearer  a.b.c",
        "Authorization: Bearer a.b.c", '"Bearer a.b.c"', "a.b\n.c",
        '{"access_token":"a.b.c","refresh_token":"d.e.f","token_type":"Bearer","expires_in":900}',
        '{\n  "refresh": "d.e.f",\n  "access": "a.b.c"\n}',
    ],
)  # fmt: skip
def test_the_token_is_found(pasted: str) -> None:
    assert token_in(pasted) == "a.b.c"


@pytest.mark.parametrize("pasted", ["", "Bearer", '{"access": 1}', '{"refresh": "d.e.f"}', '"' * 9])
def test_what_holds_no_access_token_gives_none(pasted: str) -> None:
    assert token_in(pasted) != "a.b.c"


@pytest.mark.parametrize("form", ["{}", "Bearer {}", '"{}"', "all"])
def test_a_pasted_token_says_whose_it_is(app: Flask, tokens: dict[str, Any], form: str) -> None:
    """D4."""
    answer = json.dumps(tokens) if form == "all" else form.format(tokens["access_token"])
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    opened = Browser(app).post("/resource", token=answer)
    assert opened.status_code == 200
    assert f"This token opens account number {claims['sub']} until <time" in opened.text
    assert 'href="/docs"' in opened.text


def test_a_refresh_token_is_called_one(app: Flask, tokens: dict[str, Any]) -> None:
    """D4."""
    refused = Browser(app).post("/resource", token=tokens["refresh_token"])
    assert refused.status_code == 401
    assert "This is your refresh token. Paste the access token: the first of the two." in (
        refused.text
    )


def test_a_logged_in_person_is_greeted_by_name(app: Flask, dummy: dict[str, str]) -> None:
    """D4."""
    browser = Browser(app)
    browser.post("/login", **dummy)
    page = browser.get("/resource").text
    assert "You are in. The cat is pleased to see you, dummyuser." in page
    main = page.partition("<main")[2].partition("</main>")[0]
    assert "oken" not in main
    assert 'href="/account"' in main
