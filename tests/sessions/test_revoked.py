"""GET /api/auth/revoked/: the list with which other back ends honour a logout (CONTRACT 12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.http import parse_date
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import utcnow
from app.sessions.revocation import revocation_list
from tests.support.application import DUMMY
from tests.support.databases import execute

PATH = "/api/auth/revoked/"


def claims(tokens: dict[str, Any]) -> dict[str, Any]:
    return jwt.decode(tokens["access_token"], options={"verify_signature": False})


def refreshed(app: Flask) -> None:
    with app.app_context():
        revocation_list.of(app).refresh(db.engine)


def asked(client: FlaskClient, etag: str = "") -> TestResponse:
    return client.get(PATH, headers={"If-None-Match": etag} if etag else {})


@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/")])
def test_a_session_is_on_it_as_soon_as_it_has_ended(
    client: FlaskClient, tokens: dict[str, Any], path: str
) -> None:
    began = int(datetime.now(UTC).timestamp()) - 1
    before = client.get(path).get_json()
    assert before["revoked"] == []
    assert before["as_of"] >= began
    client.post("/api/auth/logout/", json={"refresh": tokens["refresh_token"]})
    own = claims(tokens)
    assert client.get(path).get_json()["revoked"] == [{"sid": own["sid"], "until": own["exp"]}]


def test_another_worker_has_it_after_its_next_look(
    make_app: Callable[..., Flask], client: FlaskClient, tokens: dict[str, Any]
) -> None:
    other = make_app()
    assert other.test_client().get(PATH).get_json()["revoked"] == []
    client.post("/api/auth/logout/", json={"refresh": tokens["refresh_token"]})
    refreshed(other)
    (entry,) = other.test_client().get(PATH).get_json()["revoked"]
    assert entry["sid"] == claims(tokens)["sid"]


def test_an_unchanged_list_is_not_sent_again_and_says_as_of_when_it_is(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    first = asked(client)
    etag = first.headers["ETag"]
    assert etag.startswith("W/")
    refreshed(app)
    again = asked(client, etag)
    assert (again.status_code, again.data) == (304, b"")
    said = parse_date(again.headers["Date"])
    assert said is not None
    assert said.timestamp() >= first.get_json()["as_of"]
    client.post("/api/auth/logout/", json={"refresh": tokens["refresh_token"]})
    changed = asked(client, etag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag
    assert asked(client, changed.headers["ETag"]).status_code == 304


def test_what_can_be_good_no_longer_is_not_on_it(
    app: Flask, client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    over = utcnow() - timedelta(seconds=1)
    execute(database_url, f"UPDATE session SET revoked_at = '{over}', access_expires_at = '{over}'")
    refreshed(app)
    assert asked(client).get_json()["revoked"] == []


def test_it_is_the_same_for_everybody_and_kept_for_two_seconds(client: FlaskClient) -> None:
    answer = client.get(PATH, headers={"Accept": "text/html"})
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "public, max-age=2"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in answer.headers


def test_it_asks_the_database_nothing(app: Flask, client: FlaskClient) -> None:
    asked(client)
    statements: list[str] = []
    with app.app_context():
        engine = db.engine

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    revocation_list.of(app).stop()  # whose thread asks once a second
    event.listen(engine, "before_cursor_execute", note)
    for _ in range(50):
        assert asked(client).status_code == 200
    assert statements == []


def test_where_the_list_is_not_known_it_is_refused(make_app: Callable[..., Flask]) -> None:
    app = make_app(database_url="sqlite:////nowhere/at/all.db")
    answer = app.test_client().get(PATH)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "service_unavailable")


def test_a_logout_without_a_token_names_both_fields(client: FlaskClient) -> None:
    answer = client.post("/api/auth/logout/", json={})
    assert answer.status_code == 400
    assert set(answer.get_json()["errors"]) == {"refresh", "refresh_token"}


def test_scripts_of_allowed_origins_may_call_the_api(make_app: Callable[..., Flask]) -> None:
    client = make_app(allowed_origins=("https://app.example.com",)).test_client()
    own = {"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/api/auth/register/", json=DUMMY, headers=own)
    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for foreign in ("https://app.example.com.evil", "https://example.com", "null"):
        other = {"Origin": foreign, "Sec-Fetch-Site": "cross-site"}
        refused = client.post("/api/auth/login/", json=DUMMY, headers=other)
        assert refused.status_code == 403
        assert "Access-Control-Allow-Origin" not in refused.headers
