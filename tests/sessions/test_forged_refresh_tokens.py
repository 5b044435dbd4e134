"""A refresh token under our own signature that says too little, or that it is another kind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import utcnow
from app.sessions import refresh_tokens, tokens
from app.sessions.refresh_tokens import RefreshToken
from tests.support.application import SharedApps, bearer

CLAIMS = {
    "iss", "aud", "sub", "iat", "exp", "jti", "sid", "type", "token_type", "user_id", "rotation",
}  # fmt: skip
INVALID, WRONG_TYPE = "Token is invalid", "Token has wrong type"


@pytest.fixture
def claims(shared_apps: SharedApps) -> dict[str, Any]:
    token = shared_apps.tokens()["refresh_token"]
    return jwt.decode(token, options={"verify_signature": False})


def signed(shared_apps: SharedApps, claims: dict[str, Any]) -> str:
    key = refresh_tokens._refresh_key.of(shared_apps.get())
    return jwt.encode(claims, key, "HS256")


def verify(client: FlaskClient, token: str) -> TestResponse:
    return client.post("/api/auth/token/verify/", json={"token": token})


def assert_refused(client: FlaskClient, token: str, detail: str) -> None:
    refused = client.post("/api/auth/token/refresh/", json={"refresh": token})
    assert (refused.status_code, refused.get_json()["detail"]) == (401, detail)


def test_the_payload_is_what_the_service_signs(
    shared_apps: SharedApps, shared_client: FlaskClient, claims: dict[str, Any]
) -> None:
    assert claims.keys() == CLAIMS | {"started_at"}
    assert verify(shared_client, signed(shared_apps, claims)).status_code == 200


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_a_refresh_token_without_a_claim_is_refused(
    shared_apps: SharedApps, shared_client: FlaskClient, claims: dict[str, Any], name: str
) -> None:
    del claims[name]
    token = signed(shared_apps, claims)
    assert_refused(shared_client, token, INVALID)
    assert verify(shared_client, token).status_code == 401


@pytest.mark.parametrize("name", ["type", "token_type"])
def test_both_types_must_be_that_of_a_refresh_token(
    shared_apps: SharedApps, shared_client: FlaskClient, claims: dict[str, Any], name: str
) -> None:
    assert_refused(shared_client, signed(shared_apps, claims | {name: "access"}), WRONG_TYPE)


def test_an_access_token_is_of_the_wrong_type_only_while_it_is_good(
    shared_apps: SharedApps, shared_client: FlaskClient
) -> None:
    good = shared_apps.tokens()["access_token"]
    assert_refused(shared_client, good, WRONG_TYPE)
    assert_refused(shared_client, f"{good.rpartition('.')[0]}.{'A' * 86}", INVALID)
    with shared_apps.get().app_context():
        expired = tokens.sign_access(1, 1, utcnow() - timedelta(days=1))
    assert_refused(shared_client, expired, "Token is expired")


def test_where_an_access_token_belongs_only_a_refresh_token_of_ours_is_called_one(
    shared_apps: SharedApps, shared_client: FlaskClient, claims: dict[str, Any]
) -> None:
    def told(token: str) -> str:
        refused = shared_client.get("/resource", headers=bearer(token))
        assert (refused.status_code, refused.get_json()["code"]) == (401, "token_invalid")
        return str(refused.get_json()["detail"])

    good = signed(shared_apps, claims)
    expired = signed(shared_apps, claims | {"iat": claims["iat"] - 9, "exp": claims["iat"] - 1})
    forged = jwt.encode(claims, b"another key of 32 bytes, or more", "HS256")
    called_one = "This is a refresh token. Send the access token instead."
    assert [told(token) for token in (good, expired)] == [called_one] * 2
    assert told(forged) == told("a.b.c") != called_one


def test_every_version_makes_the_same_token_of_the_same_facts(shared_apps: SharedApps) -> None:
    """While replicas are updated, a repeated request may reach either version."""
    began = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - times are UTC without saying so
    facts = RefreshToken(7, 9, 3, began, began + timedelta(days=7), began)
    with shared_apps.get(secret_key="0123456789abcdef" * 3).app_context():
        token = refresh_tokens.sign_refresh(facts)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    said = jwt.decode(token, options={"verify_signature": False})
    # The order too: it is signed.
    assert list(said.items()) == [
        ("iss", "http://127.0.0.1:5000"), ("aud", "http://127.0.0.1:5000"), ("sub", "7"),
        ("iat", 1767323045), ("exp", 1767927845), ("sid", "9"), ("type", "refresh"),
        ("token_type", "refresh"), ("user_id", "7"), ("rotation", 3), ("started_at", 1767323045),
        ("jti", "29a83dbc6384bf090bfab04846fb0a83"),
    ]  # fmt: skip
