"""The command that clears what an account has used up of its limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.application import DUMMY, bearer
from tests.support.databases import select


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(ratelimit_enabled=True)


def clear(app: Flask, name: str, *, fails: bool = False) -> Any:
    result = app.test_cli_runner().invoke(args=["limits", "clear", name, "--json"])
    assert result.exit_code == int(fails), result.output
    return result.stderr if fails else json.loads(result.stdout)[0]["cleared"]


def statuses(client: FlaskClient, name: str, times: int = 11) -> list[int]:
    wrong = {"username": name, "password": "wrong"}
    return [client.post("/login", data=wrong).status_code for _ in range(times)]


def test_failed_logins_and_confirmations_of_an_account_are_forgotten(
    app: Flask, client: FlaskClient, dummy: dict[str, str], tokens: dict[str, Any],
    database_url: str,
) -> None:  # fmt: skip
    other = DUMMY | {"username": "dummyuser2", "email": "second@dummy.com"}
    assert client.post("/register", data=other).status_code == 201
    headers = bearer(tokens["access_token"])
    change = {"current_password": "wrong", "new_password": "hujan turun di bogor"}
    for _ in range(11):
        changed = client.post("/api/auth/password/", data=change, headers=headers)
    assert changed.status_code == 429
    assert statuses(client, "dummyuser")[-1] == 429
    assert statuses(client, "dummyuser2", 3) == [401] * 3
    assert client.post("/login", data=DUMMY).status_code == 429

    # Of the address, of the account, and of the session.
    assert clear(app, " Dummy@Dummy.com ") == 3
    assert client.post("/login", data=DUMMY).status_code == 200
    again = client.post("/api/auth/password/", data=change, headers=headers)
    assert again.status_code == 403
    # The other account's are still there, and what its network failed over all accounts.
    names = [name for (name,) in select(database_url, "SELECT name FROM counter")]
    assert [name for name in names if "/spraying/" in name]
    assert clear(app, "dummyuser2") == 2
    assert clear(app, "dummyuser2") == 0


def test_failed_logins_with_a_name_that_is_no_account_s_are_forgotten(
    app: Flask, client: FlaskClient
) -> None:
    assert statuses(client, "Nobody")[-1] == 429
    assert clear(app, "nobody") == 2
    assert statuses(client, "nobody", 1) == [401]
    assert "no account of the name 'somebody'" in clear(app, "somebody", fails=True)


def test_a_storage_that_lists_no_counters_is_told_in_one_line(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(ratelimit_enabled=True, ratelimit_storage_uri="memory://")
    assert app.test_client().post("/register", data=DUMMY).status_code == 201
    assert "RATELIMIT_STORAGE_URI" in clear(app, "dummyuser", fails=True)
