"""The proof of an e-mail: after registering, on demand, and before a changed one counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models import utcnow
from tests.support.application import DUMMY, assert_problem, bearer
from tests.support.databases import execute, select
from tests.support.mails import delivered

VERIFY, CONFIRM = "/api/auth/email/verify/", "/api/auth/email/verify/confirm/"
ME = "/api/auth/me/"
CHANGED = {"email": "new@example.com", "current_password": DUMMY["password"]}


def me(client: FlaskClient, tokens: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client.get(ME, headers=bearer(tokens["access_token"])).get_json()
    return found


@pytest.fixture
def required(make_app: Callable[..., Flask]) -> Flask:
    return make_app(email_verification="required")


@pytest.mark.parametrize("by", ["link", "code"])
def test_registering_brings_the_mail_that_proves(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], by: str
) -> None:
    assert me(client, tokens)["email_verified"] is False
    (mail,) = delivered(app, to=DUMMY["email"], page="/verify")
    body = {"token": mail.token} if by == "link" else {"email": mail.to, "code": mail.code.lower()}
    assert client.post(CONFIRM, data=body).get_json() == {}
    assert me(client, tokens)["email_verified"] is True
    assert_problem(client.post(CONFIRM, data=body), 400, "invalid_grant")


def test_a_mail_is_sent_on_demand_until_the_email_is_proven(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    first = delivered(app, page="/verify")[-1]
    headers = bearer(tokens["access_token"])
    answer = client.post(VERIFY, headers=headers)
    assert (answer.status_code, answer.get_json()) == (202, {})
    second = delivered(app, page="/verify")[-1]
    assert_problem(client.post(CONFIRM, data={"token": first.token}), 400, "invalid_grant")
    assert client.post(CONFIRM, data={"token": second.token}).status_code == 200
    assert_problem(client.post(VERIFY, headers=headers), 409, "already_verified")


def test_only_the_owner_asks(client: FlaskClient) -> None:
    answer = client.post(VERIFY)
    assert answer.status_code == 401


def test_an_account_without_an_email_is_told_so(
    client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    execute(database_url, "UPDATE user SET email = NULL, email_key = NULL")
    answer = client.post(VERIFY, headers=bearer(tokens["access_token"]))
    assert_problem(answer, 400, "validation_error", "email")


def test_the_proof_is_of_the_address_not_of_the_account(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    mail = delivered(app, page="/verify")[-1]
    client.patch(ME, json=CHANGED, headers=bearer(tokens["access_token"]))
    assert_problem(client.post(CONFIRM, data={"token": mail.token}), 400, "invalid_grant")
    assert me(client, tokens)["email_verified"] is False


def test_the_proof_lasts_a_day_and_a_password_does_not_end_it(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    mail = delivered(app, page="/verify")[-1]
    changed = {"current_password": DUMMY["password"], "new_password": "another good password"}
    client.post("/api/auth/password/", json=changed, headers=bearer(tokens["access_token"]))
    ends = select(database_url, "SELECT expires_at FROM one_time WHERE purpose LIKE 'email_%'")
    assert str(ends[0][0])[:16] >= str(utcnow() + timedelta(hours=23, minutes=50))[:16]
    assert client.post(CONFIRM, data={"token": mail.token}).status_code == 200


# --- a changed e-mail ----------------------------------------------------------------------------


def test_a_changed_email_counts_at_once_unproven_and_both_addresses_get_a_mail(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    client.post(CONFIRM, data={"token": delivered(app)[-1].token})
    answer = client.patch(ME, json=CHANGED, headers=bearer(tokens["access_token"]))
    shown = answer.get_json()
    assert (shown["email"], shown["email_verified"]) == ("new@example.com", False)
    assert "pending_email" not in shown
    mails = delivered(app)[1:]
    assert {mail.to: mail.link.partition("?")[0].rpartition("/")[2] for mail in mails} == {
        "new@example.com": "verify",
        DUMMY["email"]: "undo",
    }


def test_changes_count_as_requests_for_mails(
    make_app: Callable[..., Flask], client: FlaskClient, tokens: dict[str, Any]
) -> None:
    limited = make_app(ratelimit_enabled=True).test_client()
    headers = bearer(tokens["access_token"])
    for number in range(30):
        body = CHANGED | {"email": f"p{number}@example.com"}
        assert limited.patch(ME, json=body, headers=headers).status_code == 200
    answer = limited.patch(ME, json=CHANGED, headers=headers)
    assert_problem(answer, 429, "too_many_requests")
    assert limited.patch(ME, json=body, headers=headers).status_code == 200  # no new e-mail


def test_the_same_email_in_another_case_stays_proven_and_brings_no_mail(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    client.post(CONFIRM, data={"token": delivered(app)[-1].token})
    body = CHANGED | {"email": "Dummy@dummy.com"}
    answer = client.patch(ME, json=body, headers=bearer(tokens["access_token"]))
    assert answer.get_json()["email_verified"] is True
    assert len(delivered(app)) == 1


def test_the_former_email_stays_reserved(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    headers = bearer(tokens["access_token"])
    client.patch(ME, json=CHANGED, headers=headers)
    other = DUMMY | {"username": "other"}
    assert_problem(client.post("/register", data=other), 409, "email_taken", "email")
    both = client.post("/register", data=DUMMY)
    assert_problem(both, 409, "username_taken", "username", "email")
    # The account itself may go back.
    back = CHANGED | {"email": DUMMY["email"]}
    assert client.patch(ME, json=back, headers=headers).status_code == 200
    client.patch(ME, json=CHANGED, headers=headers)
    execute(database_url, f"UPDATE one_time SET expires_at = '{utcnow() - timedelta(seconds=1)}'")
    assert client.post("/register", data=other).status_code == 201


def test_an_account_reserves_one_unproven_email(
    client: FlaskClient, tokens: dict[str, Any]
) -> None:
    headers = bearer(tokens["access_token"])
    for number in range(3):
        body = CHANGED | {"email": f"stranger{number}@example.com"}
        assert client.patch(ME, json=body, headers=headers).status_code == 200
    for number in range(2):
        person = {"username": f"stranger{number}", "email": f"stranger{number}@example.com"}
        assert client.post("/register", data=DUMMY | person).status_code == 201


def test_a_reserved_email_is_no_login_and_gets_no_reset(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    client.patch(ME, json=CHANGED, headers=bearer(tokens["access_token"]))
    client.post("/api/auth/password/reset/", data={"email": DUMMY["email"]})
    assert delivered(app, page="/reset") == []
    assert client.post("/login", data=DUMMY | {"username": DUMMY["email"]}).status_code == 401


# --- EMAIL_VERIFICATION=required -----------------------------------------------------------------


def test_a_new_account_logs_in_once_its_email_is_proven(required: Flask) -> None:
    client = required.test_client()
    assert client.post("/register", data=DUMMY).status_code == 201
    assert_problem(client.post("/login", data=DUMMY), 403, "email_unverified")
    assert_problem(client.post("/api/auth/login/", data=DUMMY), 403, "email_unverified")
    # A wrong password says nothing of it.
    wrong = DUMMY | {"password": "not the password"}
    assert_problem(client.post("/login", data=wrong), 401, "invalid_credentials")
    client.post(CONFIRM, data={"token": delivered(required)[-1].token})
    assert client.post("/login", data=DUMMY).status_code == 200


def test_a_reset_proves_the_email_as_well(required: Flask) -> None:
    client = required.test_client()
    client.post("/register", data=DUMMY)
    client.post("/api/auth/password/reset/", data={"email": DUMMY["email"]})
    mail = delivered(required, page="/reset")[-1]
    body = {"token": mail.token, "new_password": "another good password"}
    assert client.post("/api/auth/password/reset/confirm/", data=body).status_code == 200
    new = DUMMY | {"password": "another good password"}
    assert client.post("/login", data=new).status_code == 200


def test_accounts_older_than_the_setting_keep_logging_in(
    app: Flask, client: FlaskClient, dummy: dict[str, str], required: Flask
) -> None:
    assert required.test_client().post("/login", data=DUMMY).status_code == 200


def test_the_setting_can_be_taken_back(required: Flask, app: Flask) -> None:
    required.test_client().post("/register", data=DUMMY)
    assert app.test_client().post("/login", data=DUMMY).status_code == 200


def test_a_changed_email_counts_when_it_is_proven(
    required: Flask, app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    delivered(app)
    strict, headers = required.test_client(), bearer(tokens["access_token"])
    shown = strict.patch(ME, json=CHANGED, headers=headers).get_json()
    assert (shown["email"], shown["pending_email"]) == (DUMMY["email"], "new@example.com")
    (mail,) = delivered(required, to="new@example.com")
    assert strict.post(CONFIRM, data={"token": mail.token}).status_code == 200
    shown = strict.get(ME, headers=headers).get_json()
    assert (shown["email"], shown["email_verified"]) == ("new@example.com", True)
    assert shown["pending_email"] is None
    notice = delivered(required)[-1]
    assert (notice.to, "/undo" in notice.link) == (DUMMY["email"], True)


def test_an_email_of_another_account_is_refused_at_once(
    required: Flask, app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    client.post("/register", data=DUMMY | {"username": "other", "email": "new@example.com"})
    answer = required.test_client().patch(ME, json=CHANGED, headers=bearer(tokens["access_token"]))
    assert_problem(answer, 409, "email_taken", "email")


def test_an_email_taken_while_it_was_pending_is_refused(
    required: Flask, app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    strict = required.test_client()
    strict.patch(ME, json=CHANGED, headers=bearer(tokens["access_token"]))
    client.post("/register", data=DUMMY | {"username": "other", "email": "new@example.com"})
    mail = delivered(required, to="new@example.com")[0]
    assert_problem(strict.post(CONFIRM, data={"token": mail.token}), 409, "email_taken", "email")
    assert me(client, tokens)["email"] == DUMMY["email"]


CHANGES = [
    "UPDATE user SET auth_epoch = auth_epoch + 1",  # a join, an operator, whatever comes
    "UPDATE user SET pending_email = NULL",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_pending_email_ends_with_any_change_of_the_account(
    required: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str, change: str
) -> None:
    strict, headers = required.test_client(), bearer(tokens["access_token"])
    strict.patch(ME, json=CHANGED, headers=headers)
    (mail,) = delivered(required, to="new@example.com", page="/verify")
    execute(database_url, change)
    assert_problem(strict.post(CONFIRM, data={"token": mail.token}), 400, "invalid_grant")
    assert me(client, tokens)["email"] == DUMMY["email"]


def test_two_accounts_that_want_one_email_have_a_code_each(
    required: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    strict = required.test_client()
    strict.patch(ME, json=CHANGED, headers=bearer(tokens["access_token"]))
    own = delivered(required, to="new@example.com", page="/verify")[0]
    other = DUMMY | {"username": "other", "email": "other@dummy.com"}
    client.post("/register", data=other)
    others = client.post("/login", data=other).get_json()
    strict.patch(ME, json=CHANGED, headers=bearer(others["access_token"]))
    answer = strict.post(CONFIRM, data={"email": "new@example.com", "code": own.code})
    assert answer.status_code == 200
    assert me(client, tokens)["email"] == "new@example.com"


def test_a_refused_registration_uses_up_no_mail(
    make_app: Callable[..., Flask], dummy: dict[str, str]
) -> None:
    limited = make_app(ratelimit_enabled=True)
    client = limited.test_client()
    taken = DUMMY | {"email": "new@example.com"}
    assert client.post("/register", data=taken).status_code == 409
    assert client.post("/register", data=taken | {"username": "other"}).status_code == 201
    assert len(delivered(limited, to="new@example.com")) == 1


def test_a_new_password_ends_a_pending_change(
    required: Flask, app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    strict, headers = required.test_client(), bearer(tokens["access_token"])
    strict.patch(ME, json=CHANGED, headers=headers)
    changed = {"current_password": DUMMY["password"], "new_password": "another good password"}
    strict.post("/api/auth/password/", json=changed, headers=headers)
    (mail,) = delivered(required, to="new@example.com", page="/verify")
    assert_problem(strict.post(CONFIRM, data={"token": mail.token}), 400, "invalid_grant")
    assert me(client, tokens)["email"] == DUMMY["email"]
