"""A token's signature is checked once; its time, its key and its session every time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_jwt_extended import decode_token

from app.core.errors import TokenExpiredError, TokenInvalidError, TokenRevokedError
from app.models import utcnow
from app.sessions import tokens as rules
from app.sessions.keys import keyring
from app.sessions.revocation import revocation_list
from tests.support.application import bearer

ALTERED = str.maketrans("AB", "BA")


def a_token(expires_at: datetime | None = None) -> str:
    return rules.sign_access(1, 1, expires_at or utcnow() + timedelta(seconds=900))


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signature was checked."""
    checked: list[str] = []

    def decode(token: str) -> Any:
        checked.append(token)
        return decode_token(token)

    monkeypatch.setattr(rules, "decode_token", decode)
    return checked


def test_a_signature_is_checked_once(app: Flask, verifications: list[str]) -> None:
    with app.app_context():
        token = a_token()
        assert rules.read_access(token) == rules.read_access(token)
    assert verifications == [token]


def test_a_bad_token_is_never_remembered(app: Flask, verifications: list[str]) -> None:
    with app.app_context():
        head, claims, signature = a_token().split(".")
        forged = f"{head}.{claims}.{signature.translate(ALTERED)[:-4]}AAAA"
        for _ in range(2):
            with pytest.raises(TokenInvalidError):
                rules.read_access(forged)
        assert verifications == [forged, forged]
        assert rules.verified_tokens.of(app).cache_info().currsize == 0


def test_a_good_token_does_not_vouch_for_another_signature(app: Flask) -> None:
    with app.app_context():
        token = a_token()
        rules.read_access(token)
        head, claims, signature = token.split(".")
        with pytest.raises(TokenInvalidError):
            rules.read_access(f"{head}.{claims}.{signature[::-1]}")


def test_the_memory_is_bounded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "REMEMBERED_TOKENS", 3)
    rules.init_app(app)
    with app.app_context():
        for _ in range(5):
            rules.read_access(a_token())
        assert rules.verified_tokens.of(app).cache_info().currsize == 3


def test_a_remembered_token_expires_on_the_second(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        token = a_token()
        access = rules.read_access(token)
        monkeypatch.setattr(time, "time", lambda: access.expires_at - 0.001)
        assert rules.read_access(token) == access
        monkeypatch.setattr(time, "time", lambda: float(access.expires_at))
        with pytest.raises(TokenExpiredError):
            rules.read_access(token)


def test_a_remembered_token_is_not_good_before_its_time(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        token = a_token()
        access = rules.read_access(token)
        monkeypatch.setattr(time, "time", lambda: access.not_before - 1.0)
        with pytest.raises(TokenInvalidError):
            rules.read_access(token)


def test_a_remembered_token_falls_with_its_key(app: Flask) -> None:
    with app.app_context():
        token = a_token()
        kid = rules.read_access(token).kid
        keyring().rotate(publish_seconds=0)
        assert rules.read_access(token).kid == kid
        keyring().retire(kid)
        with pytest.raises(TokenInvalidError):
            rules.read_access(token)
        rules.read_access(a_token())


def test_a_remembered_token_falls_with_its_session(
    client: FlaskClient, tokens: dict[str, Any]
) -> None:
    header = bearer(tokens["access_token"])
    assert client.get("/resource", headers=header).status_code == 200
    client.post("/api/auth/logout/", data={"refresh": tokens["refresh_token"]})
    assert client.get("/resource", headers=header).get_json()["code"] == "token_revoked"


def test_two_applications_remember_apart(make_app: Any, tmp_path: Any) -> None:
    one, other = make_app(instance_path=tmp_path / "one"), make_app(instance_path=tmp_path / "two")
    with one.app_context():
        token = a_token()
        rules.read_access(token)
    with other.app_context(), pytest.raises(TokenInvalidError):
        rules.read_access(token)


def test_the_list_of_revocations_agrees_with_a_remembered_token(app: Flask) -> None:
    with app.app_context():
        access = rules.read_access(a_token())
        revocation_list().add(access.session_id, utcnow() + timedelta(seconds=900))
        with pytest.raises(TokenRevokedError):
            revocation_list().check(access.session_id)
