"""What the log says of a session, from its login to its end."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.application import DUMMY, bearer
from tests.support.browsing import Browser


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    """The events since the last call, with what each says."""
    found = [
        (record.getMessage(), vars(record)["facts"])
        for record in caplog.records
        if record.name == "loguserapp.audit"
    ]
    caplog.clear()
    return found


def own_id(client: FlaskClient, access: str) -> int:
    """The id of the token's account, as the account itself is told."""
    return int(client.get("/api/auth/me/", headers=bearer(access)).get_json()["id"])


def test_the_life_of_a_session(
    client: FlaskClient, dummy: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    pair = client.post("/api/auth/login/", json=DUMMY).get_json()
    ((opened, facts),) = events(caplog)
    first, user = pair["refresh"], own_id(client, pair["access"])
    assert (opened, facts["outcome"], facts["user_id"]) == ("session.opened", "success", user)
    session = {"user_id": user, "session_id": facts["session_id"]}

    def refresh(token: str, status: int = 200) -> str:
        answer = client.post("/api/auth/token/refresh/", json={"refresh": token})
        assert answer.status_code == status
        return str(answer.get_json().get("refresh"))

    second = refresh(first)
    assert events(caplog) == [("session.refreshed", session | {"outcome": "success"})]
    assert refresh(first) == second
    assert events(caplog) == [("refresh_token.repeated", session | {"outcome": "success"})]
    refresh(second)
    events(caplog)
    refresh(first, 401)
    assert events(caplog) == [("refresh_token.reused", session | {"outcome": "refused"})]


def test_every_way_to_end_sessions(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    other = DUMMY | {"username": "other", "email": "other@dummy.com"}
    for account in (other, DUMMY):  # the other account's rows are the first in every order
        assert client.post("/register", json=account).status_code == 201
        assert client.post("/api/auth/login/", json=account).status_code == 200
    events(caplog)
    pairs = [client.post("/api/auth/login/", json=DUMMY).get_json() for _ in range(2)]
    ids = [facts["session_id"] for name, facts in events(caplog) if name == "session.opened"]
    user, own = own_id(client, pairs[1]["access"]), bearer(pairs[1]["access"])
    assert client.delete(f"/api/auth/sessions/{ids[0]}/", headers=own).status_code == 204
    ended = {"user_id": user, "outcome": "success"}
    assert events(caplog) == [("session.ended", ended | {"session_id": ids[0]})]
    assert (
        client.post("/api/auth/logout/", json={"refresh": pairs[1]["refresh"]}).status_code == 200
    )
    assert events(caplog) == [("session.ended", ended | {"session_id": ids[1]})]
    assert (
        client.post("/api/auth/logout/", json={"refresh": pairs[1]["refresh"]}).status_code == 401
    )
    assert events(caplog) == []


def test_the_end_of_all_other_sessions_is_one_event_with_their_number(
    app: Flask, client: FlaskClient, dummy: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        pair = client.post("/api/auth/login/", json=DUMMY).get_json()
    browser = Browser(app)
    assert browser.post("/login", **DUMMY).status_code == 303
    user = own_id(client, pair["access"])
    caplog.clear()
    assert browser.post("/account/devices/end-others").status_code == 303
    ended = {"user_id": user, "outcome": "success", "count": 2}
    assert events(caplog) == [("session.ended", ended)]
    assert browser.post("/account/devices/end-others").status_code == 303
    assert events(caplog) == []
