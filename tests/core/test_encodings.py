"""What the application writes in one way: times, base64url, faults in the log."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import Flask
from joserfc.errors import InvalidClaimError
from sqlalchemy.exc import OperationalError

from app.core.database import cause
from app.core.errors import fault_name
from app.social.codes import s256
from app.social.providers.base import _fault
from app.text import rfc3339
from tests.support.application import DUMMY, bearer
from tests.support.browsing import Browser


def test_a_time_is_rfc3339_in_utc() -> None:
    assert rfc3339(datetime.fromisoformat("2026-01-02 03:04:05")) == "2026-01-02T03:04:05Z"


def test_the_api_and_the_page_write_one_time_alike(app: Flask, dummy: dict[str, str]) -> None:
    client, browser = app.test_client(), Browser(app)
    token = client.post("/login", data=dummy).get_json()["access_token"]
    created = client.get("/api/auth/me/", headers=bearer(token)).get_json()["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created)
    browser.post("/login", **DUMMY)
    assert f'<time datetime="{created}">' in browser.get("/account/profile").text


@pytest.mark.parametrize(
    "verifier", ["v" * 43, "~" * 128, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"]
)
def test_a_challenge_is_that_of_rfc_7636(verifier: str) -> None:
    assert s256(verifier) == create_s256_code_challenge(verifier)


def test_an_operator_reads_the_drivers_words_alone() -> None:
    fault = OperationalError("SELECT secret", {}, Exception("unable to open\ndetails"))
    assert cause(fault) == "unable to open"


def test_the_log_names_a_fault_without_its_message() -> None:
    assert fault_name(ValueError("secret")) == "ValueError"
    assert fault_name(ValueError("secret"), 1045) == "ValueError 1045"
    assert _fault(InvalidClaimError("nonce")) == "InvalidClaimError nonce"
    assert _fault(KeyError("secret")) == "KeyError"
