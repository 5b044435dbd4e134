"""Notices, and "this was not me": an account taken back from somebody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models import utcnow
from tests.support.application import DUMMY, assert_problem, bearer
from tests.support.databases import execute, select
from tests.support.mails import Mail, delivered

UNDO, ME = "/api/auth/email/undo/", "/api/auth/me/"
RESET_CONFIRM = "/api/auth/password/reset/confirm/"
THIEF = "thief@example.com"
THIEFS_PASSWORD = "now it is all mine"
OTHER = {"REMOTE_ADDR": "198.51.100.7"}


def steal(app: Flask, client: FlaskClient, tokens: dict[str, Any]) -> None:
    """What one who knows the password does: another e-mail, then another password."""
    headers = bearer(tokens["access_token"])
    changed = {"email": THIEF, "current_password": DUMMY["password"]}
    assert client.patch(ME, json=changed, headers=headers).status_code == 200
    changed = {"current_password": DUMMY["password"], "new_password": THIEFS_PASSWORD}
    assert client.post("/api/auth/password/", json=changed, headers=headers).status_code == 200


def undo_mails(app: Flask, to: str) -> list[Mail]:
    return delivered(app, to=to, page="/undo")


def state(database_url: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] = select(
        database_url, "SELECT email, password IS NULL, email_verified_at IS NOT NULL FROM user"
    )[0]
    return found


def test_the_owner_gets_the_account_back_after_email_and_password_were_changed(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    steal(app, client, tokens)
    (mail,) = undo_mails(app, DUMMY["email"])
    assert client.post(UNDO, data={"token": mail.token}).get_json() == {}
    assert state(database_url) == (DUMMY["email"], 1, 1)
    answer = client.get("/resource", headers=bearer(tokens["access_token"]))
    assert_problem(answer, 401, "token_revoked")
    for password in (DUMMY["password"], THIEFS_PASSWORD):
        assert client.post("/login", data=DUMMY | {"password": password}).status_code == 401
    reset = delivered(app, to=DUMMY["email"], page="/reset")[-1]
    body = {"token": reset.token, "new_password": "mine again for good"}
    assert client.post(RESET_CONFIRM, data=body).status_code == 200
    assert (
        client.post("/login", data=DUMMY | {"password": "mine again for good"}).status_code == 200
    )


def test_a_link_counts_once(app: Flask, client: FlaskClient, tokens: dict[str, Any]) -> None:
    steal(app, client, tokens)
    (mail,) = undo_mails(app, DUMMY["email"])
    assert client.post(UNDO, data={"token": mail.token}).status_code == 200
    assert_problem(client.post(UNDO, data={"token": mail.token}), 400, "invalid_grant")


def test_the_thiefs_own_notices_do_not_undo_the_owner(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    steal(app, client, tokens)
    headers = bearer(tokens["access_token"])
    again = {"email": "thief2@example.com", "current_password": THIEFS_PASSWORD}
    assert client.patch(ME, json=again, headers=headers).status_code == 200
    (owner,), thief = undo_mails(app, DUMMY["email"]), undo_mails(app, THIEF)
    assert len(thief) == 2  # the new password, the next e-mail
    assert client.post(UNDO, data={"token": owner.token}).status_code == 200
    for mail in thief:
        assert_problem(client.post(UNDO, data={"token": mail.token}), 400, "invalid_grant")
    assert state(database_url)[0] == DUMMY["email"]


def test_the_owner_undoes_what_the_thief_undid(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    steal(app, client, tokens)
    (owner,), thief = undo_mails(app, DUMMY["email"]), undo_mails(app, THIEF)[-1]
    assert client.post(UNDO, data={"token": thief.token}).status_code == 200
    assert state(database_url)[0] == THIEF
    assert client.post(UNDO, data={"token": owner.token}).status_code == 200
    assert state(database_url)[0] == DUMMY["email"]
    reset = delivered(app, to=THIEF, page="/reset")
    for mail in reset:
        body = {"token": mail.token, "new_password": "still the thief's one"}
        assert_problem(client.post(RESET_CONFIRM, data=body), 400, "invalid_grant")


@pytest.mark.parametrize("change", ["disabled", "renamed"])
def test_it_works_whatever_happened_since(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str, change: str
) -> None:
    steal(app, client, tokens)
    (mail,) = undo_mails(app, DUMMY["email"])
    if change == "disabled":
        execute(database_url, f"UPDATE user SET disabled_at = '{utcnow()}'")
    else:
        execute(database_url, "UPDATE user SET username = 'x.y', username_key = 'x.y'")
    assert client.post(UNDO, data={"token": mail.token}).status_code == 200
    assert state(database_url)[0] == DUMMY["email"]


def test_it_lasts_seven_days(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    steal(app, client, tokens)
    (mail,) = undo_mails(app, DUMMY["email"])
    ends = "SELECT expires_at FROM one_time WHERE purpose = 'undo' ORDER BY id"
    assert str(select(database_url, ends)[0][0])[:13] >= str(utcnow() + timedelta(days=6.9))[:13]
    execute(database_url, f"UPDATE one_time SET expires_at = '{utcnow()}'")
    assert_problem(client.post(UNDO, data={"token": mail.token}), 400, "invalid_grant")


def test_identities_connected_since_are_removed_and_older_ones_stay(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    user_id = select(database_url, "SELECT id FROM user")[0][0]
    row = (
        "INSERT INTO identity (user_id, provider, subject, issuer, created_at) "
        "VALUES ({}, 'oidc', '{}', 'i', '{}')"
    )
    execute(database_url, row.format(user_id, "old", "2026-01-01"))
    execute(database_url, f"UPDATE user SET email_verified_at = '{utcnow()}'")
    steal(app, client, tokens)
    execute(database_url, row.format(user_id, "later", utcnow() + timedelta(seconds=1)))
    (mail,) = undo_mails(app, DUMMY["email"])
    client.post(UNDO, data={"token": mail.token})
    assert select(database_url, "SELECT subject FROM identity") == [("old",)]


def test_an_identity_goes_whichever_notice_is_pressed(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    """The owner may open the newest mail, which is later than the connection."""
    user_id = select(database_url, "SELECT id FROM user")[0][0]
    execute(database_url, f"UPDATE user SET email_verified_at = '{utcnow()}'")
    client.post("/login", data=DUMMY, environ_base=OTHER)  # the thief, of which a notice tells
    execute(
        database_url,
        "INSERT INTO identity (user_id, provider, subject, issuer, created_at) "
        f"VALUES ({user_id}, 'oidc', 'thief', 'i', '{utcnow()}')",
    )
    later = utcnow() + timedelta(minutes=5)
    changed = {"current_password": DUMMY["password"], "new_password": THIEFS_PASSWORD}
    client.post("/api/auth/password/", json=changed, headers=bearer(tokens["access_token"]))
    newest = "SELECT max(id) FROM one_time WHERE purpose = 'undo'"
    number = select(database_url, newest)[0][0]
    execute(database_url, f"UPDATE one_time SET created_at = '{later}' WHERE id = {number}")
    mail = undo_mails(app, DUMMY["email"])[-1]
    assert client.post(UNDO, data={"token": mail.token}).status_code == 200
    assert select(database_url, "SELECT count(*) FROM identity") == [(0,)]


def test_of_an_unproven_account_every_identity_goes(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    user_id = select(database_url, "SELECT id FROM user")[0][0]
    execute(
        database_url,
        "INSERT INTO identity (user_id, provider, subject, issuer, created_at) "
        f"VALUES ({user_id}, 'oidc', 'squatter', 'i', '2026-01-01')",
    )
    changed = {"current_password": DUMMY["password"], "new_password": THIEFS_PASSWORD}
    client.post("/api/auth/password/", json=changed, headers=bearer(tokens["access_token"]))
    (mail,) = undo_mails(app, DUMMY["email"])
    assert client.post(UNDO, data={"token": mail.token}).status_code == 200
    assert select(database_url, "SELECT count(*) FROM identity") == [(0,)]


def test_an_address_gets_ten_notices_a_day(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    for number in range(12):
        elsewhere = {"REMOTE_ADDR": f"198.51.100.{number}"}
        assert client.post("/login", data=DUMMY, environ_base=elsewhere).status_code == 200
    assert len(undo_mails(app, DUMMY["email"])) == 10


def test_a_login_to_an_old_account_is_told_though_its_sessions_are_purged(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    execute(database_url, "DELETE FROM session", "UPDATE user SET created_at = '2026-01-01'")
    client.post("/login", data=DUMMY, environ_base=OTHER)
    assert len(undo_mails(app, DUMMY["email"])) == 1


def test_a_reset_of_the_thief_dies_with_it(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    steal(app, client, tokens)
    client.post("/api/auth/password/reset/", data={"email": THIEF})
    (reset,) = delivered(app, to=THIEF, page="/reset")
    (mail,) = undo_mails(app, DUMMY["email"])
    client.post(UNDO, data={"token": mail.token})
    body = {"token": reset.token, "new_password": "still the thief's one"}
    assert_problem(client.post(RESET_CONFIRM, data=body), 400, "invalid_grant")


# --- notices -------------------------------------------------------------------------------------


def test_a_login_from_a_new_network_is_told(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    before = len(undo_mails(app, DUMMY["email"]))
    assert client.post("/login", data=DUMMY).status_code == 200
    assert len(undo_mails(app, DUMMY["email"])) == before
    client.post("/login", data=DUMMY, environ_base=OTHER, headers={"User-Agent": "curl/8"})
    *_, notice = undo_mails(app, DUMMY["email"])
    assert "198.51.100.7" in notice.text
    assert "curl" in notice.text
    client.post("/login", data=DUMMY, environ_base=OTHER)
    assert len(undo_mails(app, DUMMY["email"])) == before + 1


def test_the_first_login_of_all_is_not_told(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    client.post("/login", data=DUMMY)
    assert undo_mails(app, DUMMY["email"]) == []


def test_a_notice_of_a_login_ends_that_login(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    thief = client.post("/login", data=DUMMY, environ_base=OTHER).get_json()
    (notice,) = undo_mails(app, DUMMY["email"])
    assert client.post(UNDO, data={"token": notice.token}).status_code == 200
    answer = client.get("/resource", headers=bearer(thief["access_token"]))
    assert_problem(answer, 401, "token_revoked")
    assert client.post("/login", data=DUMMY, environ_base=OTHER).status_code == 401
    assert state(database_url) == (DUMMY["email"], 1, 1)
    assert delivered(app, to=DUMMY["email"], page="/reset")


def test_an_account_without_an_email_gets_no_notice(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    execute(database_url, "UPDATE user SET email = NULL, email_key = NULL")
    assert client.post("/login", data=DUMMY, environ_base=OTHER).status_code == 200
    assert undo_mails(app, DUMMY["email"]) == []


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 4000])
def test_a_made_up_link_is_refused(client: FlaskClient, token: str) -> None:
    answer = client.post(UNDO, json={"token": token})
    assert answer.status_code == 400
