"""A forgotten password: asked for by e-mail, replaced by the link or the code of a mail."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts.by_mail import password_reset
from app.models import utcnow
from tests.support.application import DUMMY, assert_problem, bearer
from tests.support.browsing import Browser
from tests.support.databases import execute, select
from tests.support.mails import Mail, delivered

RESET, CONFIRM = "/api/auth/password/reset/", "/api/auth/password/reset/confirm/"
NEW = "kambing hitam besar"
GOOD = {"email": DUMMY["email"], "new_password": NEW}


@pytest.fixture
def limited(make_app: Callable[..., Flask]) -> tuple[Flask, FlaskClient]:
    """An application that counts, with the assignment's account."""
    app = make_app(ratelimit_enabled=True)
    client = app.test_client()
    assert client.post("/register", data=DUMMY).status_code == 201
    return app, client


def asked(app: Flask, client: FlaskClient, email: str = DUMMY["email"]) -> Mail:
    """The mail that a request for a reset brings."""
    answer = client.post(RESET, data={"email": email})
    assert (answer.status_code, answer.get_json()) == (202, {})
    return delivered(app, to=DUMMY["email"], page="/reset")[-1]


def logs_in(client: FlaskClient, password: str) -> bool:
    answer = client.post("/api/auth/login/", data=DUMMY | {"password": password})
    return answer.status_code == 200


@pytest.mark.parametrize("spelling", ["{}", "{} ", " {}", "lower", "plain", "spaced"])
def test_the_code_is_read_in_any_spelling(
    app: Flask, client: FlaskClient, dummy: dict[str, str], spelling: str
) -> None:
    code = asked(app, client).code
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", code)
    spelled = {
        "lower": code.lower(), "plain": code.replace("-", ""), "spaced": " ".join(code),
    }.get(spelling, spelling.format(code))  # fmt: skip
    assert client.post(CONFIRM, data=GOOD | {"code": spelled}).status_code == 200
    assert logs_in(client, NEW)
    assert not logs_in(client, DUMMY["password"])


def test_the_link_sets_the_password_once(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    mail = asked(app, client)
    assert len(mail.token) == 43
    body = {"token": mail.token, "new_password": NEW}
    assert client.post(CONFIRM, json=body).get_json() == {}
    assert_problem(client.post(CONFIRM, json=body), 400, "invalid_grant")
    # The code is the same proof.
    assert_problem(client.post(CONFIRM, json=GOOD | {"code": mail.code}), 400, "invalid_grant")


def test_every_session_ends_and_the_owner_is_told(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    mail = asked(app, client)
    client.post(CONFIRM, json={"token": mail.token, "new_password": NEW})
    answer = client.get("/resource", headers=bearer(tokens["access_token"]))
    assert_problem(answer, 401, "token_revoked")
    notice = delivered(app)[-1]
    assert "password" in notice.subject
    assert "/undo?token=" in notice.link


def test_the_email_is_proven_and_identities_of_before_are_removed(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    user_id = select(database_url, "SELECT id FROM user")[0][0]
    execute(
        database_url,
        "INSERT INTO identity (user_id, provider, subject, issuer, created_at) "
        f"VALUES ({user_id}, 'google', '7', 'https://accounts.google.com', '2026-01-01')",
    )
    mail = asked(app, client)
    client.post(CONFIRM, json={"token": mail.token, "new_password": NEW})
    proven = "SELECT email_verified_at IS NOT NULL FROM user"
    assert select(database_url, proven)[0][0] == 1
    assert select(database_url, "SELECT count(*) FROM identity") == [(0,)]


def test_identities_of_a_proven_account_stay(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    user_id = select(database_url, "SELECT id FROM user")[0][0]
    execute(
        database_url,
        "UPDATE user SET email_verified_at = '2026-01-01'",
        "INSERT INTO identity (user_id, provider, subject, issuer, created_at) "
        f"VALUES ({user_id}, 'google', '7', 'https://accounts.google.com', '2026-01-01')",
    )
    mail = asked(app, client)
    client.post(CONFIRM, json={"token": mail.token, "new_password": NEW})
    assert select(database_url, "SELECT count(*) FROM identity") == [(1,)]


def test_an_unknown_address_is_answered_alike_and_gets_no_mail(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    known = client.post(RESET, data={"email": DUMMY["email"]})
    unknown = client.post(RESET, data={"email": "nobody@example.com"})
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data) == (202, b"{}\n")
    differing = {"X-Request-Id", "Date"}
    assert {name: value for name, value in known.headers if name not in differing} == {
        name: value for name, value in unknown.headers if name not in differing
    }
    assert {mail.to for mail in delivered(app)} == {DUMMY["email"]}
    assert select(database_url, "SELECT count(*) FROM outbox") == [(0,)]


def test_a_later_request_for_an_unknown_address_takes_the_place_of_the_former_too(
    app: Flask, client: FlaskClient, database_url: str
) -> None:
    for _ in range(3):
        client.post(RESET, data={"email": "nobody@example.com"})
        delivered(app)
    assert select(database_url, "SELECT count(*) FROM one_time") == [(1,)]


def test_codes_for_unknown_and_known_addresses_are_refused_alike(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    mail = asked(app, client)
    wrong = "B" * 8 if mail.code != "BBBB-BBBB" else "C" * 8
    client.post(RESET, data={"email": "nobody@example.com"})
    known = client.post(CONFIRM, data=GOOD | {"code": wrong})
    unknown = client.post(CONFIRM, data=GOOD | {"email": "nobody@example.com", "code": wrong})
    assert_problem(known, 400, "invalid_grant")
    assert known.data == unknown.data


def test_a_disabled_account_gets_no_mail(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    delivered(app)
    execute(database_url, "UPDATE user SET disabled_at = '2026-01-01'")
    client.post(RESET, data={"email": DUMMY["email"]})
    assert delivered(app, page="/reset") == []


def test_a_mail_goes_to_the_address_of_the_account_not_to_the_typed_one(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    client.post(RESET, data={"email": "DUMMY@Dummy.COM"})
    assert [mail.to for mail in delivered(app, page="/reset")] == [DUMMY["email"]]


def test_a_later_mail_takes_the_place_of_the_former(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    first, second = asked(app, client), asked(app, client)
    body = {"token": first.token, "new_password": NEW}
    assert_problem(client.post(CONFIRM, json=body), 400, "invalid_grant")
    assert client.post(CONFIRM, json=body | {"token": second.token}).status_code == 200


def test_a_link_ends_after_half_an_hour(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    mail = asked(app, client)
    ends = "SELECT expires_at, created_at FROM one_time WHERE purpose = 'password_reset'"
    found = select(database_url, ends)[0]
    expires_at, created_at = (str(value)[:19] for value in found)
    assert expires_at > created_at
    over = utcnow() - timedelta(seconds=1)
    execute(database_url, f"UPDATE one_time SET expires_at = '{over}'")
    body = {"token": mail.token, "new_password": NEW}
    assert_problem(client.post(CONFIRM, json=body), 400, "invalid_grant")
    assert_problem(client.post(CONFIRM, json=GOOD | {"code": mail.code}), 400, "invalid_grant")


def test_a_password_changed_meanwhile_ends_the_link(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    mail = asked(app, client)
    changed = client.post(
        "/api/auth/password/",
        json={"current_password": DUMMY["password"], "new_password": "another good password"},
        headers=bearer(tokens["access_token"]),
    )
    assert changed.status_code == 200
    body = {"token": mail.token, "new_password": NEW}
    assert_problem(client.post(CONFIRM, json=body), 400, "invalid_grant")
    assert logs_in(client, "another good password")


def test_an_email_changed_meanwhile_ends_the_link(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    mail = asked(app, client)
    changed = client.patch(
        "/api/auth/me/",
        json={"current_password": DUMMY["password"], "email": "new@example.com"},
        headers=bearer(tokens["access_token"]),
    )
    assert changed.status_code == 200
    body = {"token": mail.token, "new_password": NEW}
    assert_problem(client.post(CONFIRM, json=body), 400, "invalid_grant")


@pytest.mark.parametrize("change", ["truncated", "doubled", "empty part", "other case", "other"])
def test_a_damaged_token_is_refused(
    app: Flask, client: FlaskClient, dummy: dict[str, str], change: str
) -> None:
    token = asked(app, client).token
    damaged = {
        "truncated": token[:-1],
        "doubled": token * 2,
        "empty part": f"{token}.",
        "other case": token.swapcase(),
        "other": "A" * 43,
    }[change]
    body = {"token": damaged, "new_password": NEW}
    assert_problem(client.post(CONFIRM, json=body), 400, "invalid_grant")
    assert client.post(CONFIRM, json=body | {"token": token}).status_code == 200


def test_a_token_of_another_purpose_is_refused(app: Flask, client: FlaskClient) -> None:
    client.post("/register", data=DUMMY)
    mail = delivered(app, page="/verify")[-1]
    body = {"token": mail.token, "new_password": NEW}
    assert_problem(client.post(CONFIRM, json=body), 400, "invalid_grant")
    asked(app, client)
    assert_problem(client.post(CONFIRM, json=GOOD | {"code": mail.code}), 400, "invalid_grant")


def test_a_code_has_five_tries_and_the_link_stays_good(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    mail = asked(app, client)
    for letter in "BCDFG":
        wrong = letter * 8
        assert_problem(client.post(CONFIRM, json=GOOD | {"code": wrong}), 400, "invalid_grant")
    assert_problem(client.post(CONFIRM, json=GOOD | {"code": mail.code}), 400, "invalid_grant")
    body = {"token": mail.token, "new_password": NEW}
    assert client.post(CONFIRM, json=body).status_code == 200


def test_the_fifth_try_still_counts(app: Flask, client: FlaskClient, dummy: dict[str, str]) -> None:
    mail = asked(app, client)
    for letter in "BCDF":
        client.post(CONFIRM, json=GOOD | {"code": letter * 8})
    assert client.post(CONFIRM, json=GOOD | {"code": mail.code}).status_code == 200


def test_wrong_codes_count_as_failed_logins(
    limited: tuple[Flask, FlaskClient],
) -> None:
    _, client = limited
    for _ in range(10):
        answer = client.post(CONFIRM, data=GOOD | {"code": "BBBBBBBB"})
    assert answer.status_code == 400
    assert client.post(CONFIRM, data=GOOD | {"code": "BBBBBBBB"}).status_code == 429
    assert client.post("/login", data=DUMMY).status_code == 429


@pytest.mark.parametrize("weak", ["short", "dummyuser", "dummy@dummy.com", "password"])
def test_a_weak_password_is_refused_and_the_proof_stays_good(
    app: Flask, client: FlaskClient, dummy: dict[str, str], weak: str
) -> None:
    mail = asked(app, client)
    body = {"token": mail.token, "new_password": weak}
    assert_problem(client.post(CONFIRM, json=body), 400, "validation_error", "new_password")
    assert client.post(CONFIRM, json=body | {"new_password": NEW}).status_code == 200


def test_an_operators_link_proves_no_email(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    with app.app_context():
        user_id = select(database_url, "SELECT id FROM user")[0][0]
        token = password_reset.reset_link(user_id).partition("?token=")[2]
    body = {"token": token, "new_password": NEW}
    assert client.post(CONFIRM, json=body).status_code == 200
    assert logs_in(client, NEW)
    assert select(database_url, "SELECT email_verified_at FROM user") == [(None,)]


def test_the_page_of_an_operators_link_asks_for_the_password_alone(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    with app.app_context():
        link = password_reset.reset_link(select(database_url, "SELECT id FROM user")[0][0])
    browser = Browser(app)
    assert browser.get(f"/reset?{link.partition('?')[2]}").location == "/reset"
    page = browser.get("/reset").text
    assert "For the account dummyuser." in page
    assert 'name="code"' not in page
    assert browser.post("/reset", new_password=NEW).location == "/login"
    assert logs_in(client, NEW)


def test_a_wrong_link_counts_as_a_bad_token(limited: tuple[Flask, FlaskClient]) -> None:
    _, client = limited
    for number in range(60):
        body = {"token": f"{number}", "new_password": NEW}
        assert client.post(CONFIRM, json=body).status_code == 400
    assert client.post(CONFIRM, json=body).status_code == 429


def test_an_account_without_a_password_gets_its_first(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    execute(database_url, "UPDATE user SET password = NULL")
    mail = asked(app, client)
    assert client.post(CONFIRM, json=GOOD | {"code": mail.code}).status_code == 200
    assert logs_in(client, NEW)


def test_an_email_gets_one_mail_a_minute_and_no_answer_tells(
    limited: tuple[Flask, FlaskClient],
) -> None:
    app, client = limited
    for _ in range(3):
        assert client.post(RESET, data={"email": DUMMY["email"]}).status_code == 202
    assert len(delivered(app, page="/reset")) == 1


def test_an_email_gets_ten_mails_a_day(
    limited: tuple[Flask, FlaskClient], database_url: str
) -> None:
    app, client = limited
    for _ in range(12):
        assert client.post(RESET, data={"email": DUMMY["email"]}).status_code == 202
        execute(
            database_url,
            "DELETE FROM counter WHERE name LIKE '%%/mail/password_reset/%/1/1/minute'",
        )
    assert len(delivered(app, page="/reset")) == 10


def test_an_address_asks_for_thirty_mails_an_hour(
    limited: tuple[Flask, FlaskClient],
) -> None:
    _, client = limited
    for number in range(30):
        answer = client.post(RESET, data={"email": f"p{number}@example.com"})
        assert answer.status_code == 202
    answer = client.post(RESET, data={"email": "one.more@example.com"})
    assert_problem(answer, 429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) > 60


@pytest.mark.parametrize(
    "body", [{}, {"email": ""}, {"email": "no"}, {"email": None}, {"email": 7}]
)
def test_a_request_without_an_email_names_the_field(
    client: FlaskClient, body: dict[str, Any]
) -> None:
    answer = client.post(RESET, json=body)
    assert_problem(answer, 400, "validation_error", "email")
    assert answer.get_json()["email"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"new_password": NEW}, ("email", "code")),
        ({"new_password": NEW, "email": "dummy@dummy.com"}, ("code",)),
        ({"token": "x"}, ("new_password",)),
        ({"token": None, "new_password": NEW}, ("token",)),
    ],
)
def test_a_confirmation_without_a_proof_names_the_fields(
    client: FlaskClient, body: dict[str, Any], fields: tuple[str, ...]
) -> None:
    assert_problem(client.post(CONFIRM, json=body), 400, "validation_error", *fields)
