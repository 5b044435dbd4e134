"""While a password is hashed nobody holds a connection to the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from tests.conftest import DUMMY, bearer

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
    pool = app.extensions["hashing"]
    run = pool.run

    def counting(*work: Any) -> Any:
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
