"""The code of a mail, with which the person of an account without a password confirms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app.accounts import lookup, password_change, registration
from app.accounts.login import log_in
from app.core.errors import (
    ProofRefusedError,
    ReauthenticationRequiredError,
    TokenRevokedError,
    TooManyRequestsError,
)
from app.proof import confirmation, mailed_code
from app.sessions import ending
from app.sessions.origin import Actor, Origin
from tests.support.application import DUMMY
from tests.support.browsing import Browser
from tests.support.databases import execute
from tests.support.mails import delivered

HERE = Origin("192.0.2.1", "own")
LONG_AGO = "UPDATE session SET proven_at = NULL"
WITHOUT_PASSWORD = (
    "UPDATE user SET password = NULL, email_verified_at = '2026-01-01' WHERE username = '{}'"
)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app()
    with app.app_context():
        yield app


def person(database_url: str, name: str = "sari") -> Actor:
    """A person without a password, whose last proof is long ago."""
    registration.register(name, f"{name}@example.com", "correct horse")
    grant = log_in(name, "correct horse", HERE)
    execute(database_url, WITHOUT_PASSWORD.format(name), LONG_AGO)
    return Actor(grant.user_id, grant.session_id, HERE.client)


def code_of(app: Flask, who: Actor) -> str:
    mailed_code.send_code(who)
    address = lookup.profile(who.user_id).email
    return delivered(app, to=address or "")[-1].code


def test_the_code_counts_as_a_proof_once(app: Flask, database_url: str) -> None:
    who = person(database_url)
    with pytest.raises(ReauthenticationRequiredError):
        confirmation.confirm(who, None, recent_suffices=True)
    code = code_of(app, who)
    mailed_code.confirm_by_code(who, code)
    confirmation.confirm(who, None, recent_suffices=True)
    with pytest.raises(ProofRefusedError):
        mailed_code.confirm_by_code(who, code)
    password_change.set_first_password(who, "battery staple")
    log_in("sari", "battery staple", HERE)


def test_the_code_of_another_account_is_refused(app: Flask, database_url: str) -> None:
    who, other = person(database_url), person(database_url, "budi")
    code_of(app, who)
    with pytest.raises(ProofRefusedError):
        mailed_code.confirm_by_code(who, code_of(app, other))


def test_five_codes_are_tried(app: Flask, database_url: str) -> None:
    who = person(database_url)
    code = code_of(app, who)
    for letter in "BCDFG":
        with pytest.raises(ProofRefusedError):
            mailed_code.confirm_by_code(who, letter * 8)
    with pytest.raises(ProofRefusedError):
        mailed_code.confirm_by_code(who, code)


def test_wrong_codes_count_as_failed_confirmations(
    make_app: Callable[..., Flask], app: Flask, database_url: str
) -> None:
    who = person(database_url)
    with make_app(ratelimit_enabled=True).app_context():
        for _ in range(10):
            with pytest.raises(ProofRefusedError):
                mailed_code.confirm_by_code(who, "BBBBBBBB")
        with pytest.raises(TooManyRequestsError):
            mailed_code.confirm_by_code(who, "BBBBBBBB")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE user SET password = 'x'",
        "UPDATE user SET email_verified_at = NULL",
        "UPDATE user SET email = NULL, email_key = NULL",
    ],
)
def test_a_password_or_an_unproven_email_makes_it_impossible(
    app: Flask, database_url: str, change: str
) -> None:
    who = person(database_url)
    code = code_of(app, who)
    assert mailed_code.is_possible(who.user_id)
    execute(database_url, change)
    assert not mailed_code.is_possible(who.user_id)
    with pytest.raises(ReauthenticationRequiredError):
        mailed_code.send_code(who)
    with pytest.raises(ReauthenticationRequiredError):
        mailed_code.confirm_by_code(who, code)


def test_an_ended_session_confirms_nothing(app: Flask, database_url: str) -> None:
    who = person(database_url)
    code = code_of(app, who)
    ending.log_out(who.session_id)
    with pytest.raises(TokenRevokedError):
        mailed_code.confirm_by_code(who, code)


def test_the_pages_lead_from_the_code_to_the_first_password(
    make_app: Callable[..., Flask], database_url: str
) -> None:
    app = make_app()
    app.test_client().post("/register", data=DUMMY)
    browser = Browser(app)
    browser.post("/login", **DUMMY)
    execute(database_url, WITHOUT_PASSWORD.format(DUMMY["username"]), LONG_AGO)
    page = browser.get("/account/password").text
    assert 'action="/account/confirm/send"' in page
    assert 'name="new_password"' not in page
    sent = browser.post("/account/confirm/send", next="/account/password")
    assert DUMMY["email"] in sent.text
    refused = browser.post("/account/confirm", code="BBBB-BBBB", next="/account/password")
    assert refused.status_code == 400
    assert re.search(r'name="next" value="/account/password"', refused.text)
    code = delivered(app, to=DUMMY["email"])[-1].code
    confirmed = browser.post("/account/confirm", code=code.lower(), next="/account/password")
    assert (confirmed.status_code, confirmed.location) == (303, "/account/password")
    assert 'name="new_password"' in browser.get("/account/password").text
