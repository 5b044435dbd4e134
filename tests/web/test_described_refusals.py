"""Every refusal that the description of the API names happens.

The other direction is asserted wherever a test asks something: tests/support/described.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.by_mail.email_verification import add_verification
from app.core.client import Client
from app.extensions import db
from app.mail import outbox
from app.mail.kinds import Kind
from app.models import User, utcnow
from app.sessions import tokens
from tests.support.application import DUMMY, assert_problem, bearer
from tests.support.databases import execute
from tests.support.described import ANYWHERE, CODES, DOCUMENT, REFUSALS, resolve
from tests.support.mails import delivered

OTHER = {"username": "other", "email": "other@dummy.com", "password": DUMMY["password"]}
FORGED = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"
CASES = [
    (*operation, status, code)
    for operation, refusals in REFUSALS.items()
    for status, code in sorted(refusals)
    if code != "too_many_requests"
]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@dataclass
class Call:
    """A good request of the assignment's account, to be spoilt."""

    app: Flask
    path: str
    grant: dict[str, Any]
    body: dict[str, str] | None
    sent: dict[str, Any] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


def good_body(method: str, path: str, grant: dict[str, Any]) -> dict[str, str] | None:
    """The example of its body, with tokens that are good."""
    for slash in ("", "/"):
        operation = DOCUMENT["paths"].get(f"{path}{slash}", {}).get(method.lower())
        if operation and "requestBody" in operation:
            body = resolve(operation["requestBody"])["content"]["application/json"]["schema"]
            schema = resolve(body)
            example = schema.get("examples", [{}])[0]
            names = schema["properties"].keys() & {"refresh", "refresh_token", "token"}
            filled: dict[str, str] = example | dict.fromkeys(names, grant["refresh_token"])
            return filled
    return None


def spoil_body(**changes: str) -> Callable[[Call], None]:
    def spoil(call: Call) -> None:
        call.body = (call.body or {}) | changes

    return spoil


def send(**sent: Any) -> Callable[[Call], None]:
    def spoil(call: Call) -> None:
        call.body, call.sent = None, sent

    return spoil


def no_token(call: Call) -> None:
    call.grant = {}


def forged_token(call: Call) -> None:
    call.grant = {"access_token": FORGED}
    tokens_in_body = call.body.keys() & {"refresh", "refresh_token", "token"} if call.body else ()
    call.body = (call.body or {}) | dict.fromkeys(tokens_in_body, FORGED)


def expired_token(call: Call) -> None:
    with call.app.app_context():
        call.grant = {"access_token": tokens.sign_access(1, 1, utcnow() - timedelta(days=1))}


def revoked_token(call: Call) -> None:
    sent = {"refresh": call.grant["refresh_token"]}
    assert call.app.test_client().post("/api/auth/logout/", json=sent).status_code == 200


def wrong_password(call: Call) -> None:
    (name,) = (call.body or {}).keys() & {"password", "current_password"}
    call.body = (call.body or {}) | {name: "another password"}


def no_password(call: Call) -> None:
    call.statements.append("UPDATE user SET password = NULL")


def taken(name: str) -> Callable[[Call], None]:
    def spoil(call: Call) -> None:
        assert call.app.test_client().post("/register", json=OTHER).status_code == 201
        call.body = (call.body or {}) | {name: OTHER[name]}
        if name == "email" and "username" in (call.body or {}):  # which has precedence
            call.body = (call.body or {}) | {"username": "another"}

    return spoil


def invalid_fields(call: Call) -> None:
    call.body, call.sent = None, {"json": {}}
    if call.path == "/api/auth/email/verify":  # it takes no field, and is about the account's
        call.statements.append("UPDATE user SET email = NULL, email_key = NULL")


def email_taken(call: Call) -> None:
    if not call.path.startswith("/api/auth/email/"):
        taken("email")(call)
        return
    kind = Kind.EMAIL_CHANGED if call.path.endswith("/undo") else Kind.EMAIL_VERIFICATION
    with call.app.app_context():
        user = db.session.scalars(select(User)).one()
        user.pending_email = OTHER["email"]
        if kind is Kind.EMAIL_CHANGED:
            outbox.notify_of_email(user, OTHER["email"], Client(), is_proven=True)
        else:
            add_verification(user, OTHER["email"], Client())
        db.session.commit()
    call.body = {"token": delivered(call.app, to=OTHER["email"])[0].token}
    call.statements.append(
        "INSERT INTO user (username, username_key, email, email_key) "
        f"VALUES ('other', 'other', '{OTHER['email']}', '{OTHER['email']}')"
    )


def verified(call: Call) -> None:
    call.statements.append("UPDATE user SET email_verified_at = created_at")


def unverified(call: Call) -> None:
    call.settings["email_verification"] = "required"
    call.statements.append("UPDATE user SET must_verify_email = 1")


def closed(call: Call) -> None:
    call.settings["registration"] = "closed"


def database_away(call: Call) -> None:
    call.settings["database_url"] = "sqlite:////nowhere/at/all.db"


# How each refusal comes about, at whatever operation it is described for.
SPOILERS: dict[str, Callable[[Call], None]] = {
    "bad_request": send(data="{", content_type="application/json"),
    "validation_error": invalid_fields,
    "content_too_large": send(data="x" * 65_537, content_type="application/json"),
    "unsupported_media_type": send(data="hello", content_type="text/plain"),
    "token_missing": no_token,
    "token_invalid": forged_token,
    "token_expired": expired_token,
    "token_revoked": revoked_token,
    "token_not_valid": forged_token,
    "invalid_credentials": wrong_password,
    "wrong_password": wrong_password,
    "reauthentication_required": no_password,
    "username_taken": taken("username"),
    "email_taken": email_taken,
    "already_verified": verified,
    "email_unverified": unverified,
    "registration_closed": closed,
    "invalid_grant": spoil_body(),
    "not_found": spoil_body(),
    "service_unavailable": database_away,
}


def call_of(client: FlaskClient, method: str, path: str) -> Call:
    grant = client.post("/login", data=DUMMY).get_json()
    filled = path.replace("{session_id}", "2147483647")
    return Call(client.application, filled, grant, good_body(method, path, grant))


@pytest.mark.parametrize(("method", "path", "status", "code"), CASES)
def test_a_described_refusal_happens(  # noqa: PLR0917 - a fixture is no positional argument
    client: FlaskClient, dummy: dict[str, str], make_app: Callable[..., Flask], database_url: str,
    method: str, path: str, status: int, code: str,
) -> None:  # fmt: skip
    call = call_of(client, method, path)
    SPOILERS[code](call)
    execute(database_url, *call.statements)
    asked = make_app(**call.settings).test_client() if call.settings else client
    sent = call.sent or ({} if call.body is None else {"json": call.body})
    headers = bearer(call.grant["access_token"]) if call.grant else {}
    answer = asked.open(call.path, method=method, headers=headers, **sent)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code), answer.text


def test_where_too_many_requests_are_described_they_happen(
    make_app: Callable[..., Flask], dummy: dict[str, str]
) -> None:
    """Each limit is used up once; then every operation that it is described for is refused."""
    client = make_app(ratelimit_enabled=True).test_client()
    own = bearer(client.post("/login", json=DUMMY).get_json()["access_token"])
    wrong = {"current_password": "another password", "email": "new@dummy.com"}
    for n in range(60):
        person = DUMMY | {"username": f"name{n}", "email": f"name{n}@dummy.com"}
        client.post("/register", json=person)
        client.post("/api/auth/token/verify/", json={"token": FORGED})
    for n in range(30):
        client.post("/api/auth/password/reset/", json={"email": f"name{n}@dummy.com"})
    for _ in range(10):
        client.patch("/api/auth/me/", json=wrong, headers=own)
        client.post("/login", json=DUMMY | {"password": "another password"})
    for (method, path), refusals in REFUSALS.items():
        body = good_body(method, path, {"refresh_token": FORGED})
        filled = path.replace("{session_id}", "2147483647")
        answer = client.open(filled, method=method, headers=own, json=body)
        described = (429, "too_many_requests") in refusals
        assert (answer.status_code == 429) == described, (method, path)


def test_every_code_is_described_for_an_operation_or_for_all() -> None:
    described = {code for refusals in REFUSALS.values() for _, code in refusals}
    assert described | {code for _, code in ANYWHERE} == CODES


@pytest.mark.parametrize(
    ("code", "method", "headers"),
    [("forbidden", "POST", {"Sec-Fetch-Site": "cross-site"}), ("method_not_allowed", "PUT", {})],
)
def test_what_is_described_for_all_happens(
    client: FlaskClient, code: str, method: str, headers: dict[str, str]
) -> None:
    (status,) = [status for status, described in ANYWHERE if described == code]
    answer = client.open("/login", method=method, json=DUMMY, headers=headers)
    assert_problem(answer, status, code)
