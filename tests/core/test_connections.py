"""While a password is hashed nobody holds a connection, and no request holds two at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from app.extensions import db
from app.passwords import hashing_pool
from app.sessions import refresh_tokens
from tests.support.application import DUMMY, bearer

NEW = {"current_password": DUMMY["password"], "new_password": "another1234"}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(ratelimit_enabled=True)


@pytest.fixture
def held(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many connections were taken at each hash."""
    counts = []
    with app.app_context():
        engine = db.engine
    pool = hashing_pool.pool.of(app)
    run = pool.run

    def counting(*work: Any) -> Any:
        assert isinstance(engine.pool, QueuePool)
        counts.append(engine.pool.checkedout())
        return run(*work)

    monkeypatch.setattr(pool, "run", counting)
    return counts


def test_no_connection_waits_for_a_hash(
    client: FlaskClient, tokens: dict[str, Any], held: list[int]
) -> None:
    mine = bearer(tokens["access_token"])
    client.post("/register", data=DUMMY | {"username": "other", "email": "other@mail.com"})
    client.post("/login", data=DUMMY)
    client.post("/login", data=DUMMY | {"password": "wrong"})
    client.post("/login", data=DUMMY | {"username": "nobody"})
    client.patch("/api/auth/me/", data=NEW | {"username": "renamed"}, headers=mine)
    client.post("/api/auth/password/", data=NEW, headers=mine)
    client.delete("/api/auth/me/", data={"current_password": "another1234"}, headers=mine)
    assert len(held) >= 7
    assert set(held) == {0}


def test_a_refresh_holds_one_connection_at_a_time(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    """Its rotation has a connection of its own, and old tokens a query before it."""
    with app.app_context():
        engine = db.engine
        facts = refresh_tokens.read_refresh(tokens["refresh_token"])
        before_upgrade = refresh_tokens.sign_refresh(facts._replace(started_at=None))
    pool, held = engine.pool, []
    assert isinstance(pool, QueuePool)
    event.listen(engine, "checkout", lambda *_: held.append(pool.checkedout()))
    answer = client.post("/api/auth/token/refresh/", json={"refresh": before_upgrade})
    assert answer.status_code == 200
    assert len(held) >= 2
    assert set(held) == {1}
