"""How often is too often: over all spellings, addresses and workers (CONTRACT 7)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import BROWSER, DUMMY, assert_problem, bearer, execute
from tests.http import once

MINUTE, HOUR = 60, 3600


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """With limits, and one proxy in front, whose word on the client's address counts."""
    return make_app(ratelimit_enabled=True, trusted_proxies=1)


def guess(client: FlaskClient, address: str = "192.0.2.1", path: str = "/login", **fields: str):
    sent = {"username": "dummyuser", "password": "wrong"} | fields
    return client.post(path, data=sent, headers={"X-Forwarded-For": address})


def refused_for(answer: Any, at_most: int) -> None:
    assert_problem(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= at_most


def test_ten_wrong_passwords_from_one_address_are_enough(
    client: FlaskClient, dummy: dict[str, str]
) -> None:
    spellings = ["dummyuser", "DUMMYUSER", "dummy@dummy.com", "Dummy@Dummy.com", "DummyUser"]
    for path in ("/login", "/api/auth/login/"):
        for name in spellings:
            assert guess(client, path=path, username=name).status_code == 401
    for name in spellings:
        refused_for(guess(client, username=name), 15 * MINUTE)
    refused_for(guess(client, **DUMMY), 15 * MINUTE)
    elsewhere = guess(client, address="192.0.2.2", **DUMMY)
    assert elsewhere.status_code == 200


def test_a_name_without_an_account_is_limited_alike(client: FlaskClient) -> None:
    answers = [guess(client, username="Nobody").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert guess(client, username="nobody").status_code == 429


def test_fifty_wrong_passwords_from_all_over_are_enough_but_not_for_the_owner(
    client: FlaskClient, dummy: dict[str, str]
) -> None:
    home = "198.51.100.7"
    assert guess(client, home, **DUMMY).status_code == 200
    for subnet in range(5):
        for _ in range(10):
            assert guess(client, f"203.0.113.{subnet}").status_code == 401
    refused_for(guess(client, "203.0.113.99", **DUMMY), 15 * MINUTE)
    assert guess(client, home, **DUMMY).status_code == 200


def test_right_passwords_do_not_count(client: FlaskClient, dummy: dict[str, str]) -> None:
    assert {guess(client, **DUMMY).status_code for _ in range(15)} == {200}


def test_a_limited_guess_is_not_hashed(
    app: Flask, client: FlaskClient, dummy: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        guess(client)
    hashed = []
    pool = app.extensions["hashing"]
    run = pool.run
    monkeypatch.setattr(pool, "run", lambda *work: hashed.append(1) or run(*work))
    assert guess(client).status_code == 429
    assert hashed == []
    assert guess(client, "192.0.2.2").status_code == 401
    assert hashed == [1]


def test_a_signed_in_thief_does_not_guess_the_password_for_ever(
    client: FlaskClient, tokens: dict[str, Any]
) -> None:
    def confirm(password: str):
        change = {"current_password": password, "username": "other"}
        return client.patch("/api/auth/me/", data=change, headers=bearer(tokens["access_token"]))

    assert [confirm("wrong").status_code for _ in range(11)] == [403] * 10 + [429]
    assert confirm(DUMMY["password"]).status_code == 429


def test_an_address_makes_sixty_accounts_an_hour(client: FlaskClient) -> None:
    def register(number: int, address: str):
        fields = {"username": f"user{number}", "email": f"user{number}@mail.com"}
        return client.post("/register", data=DUMMY | fields, headers={"X-Forwarded-For": address})

    assert {register(n, "192.0.2.1").status_code for n in range(60)} == {201}
    refused_for(register(60, "192.0.2.1"), HOUR)
    assert register(60, "192.0.2.2").status_code == 201


def test_an_address_makes_sixty_token_calls_a_minute(client: FlaskClient) -> None:
    def verify(address: str):
        return client.post(
            "/api/auth/token/verify/", data={"token": "x"}, headers={"X-Forwarded-For": address}
        )

    answers = [verify("2001:db8::1").status_code for _ in range(60)]
    assert answers == [401] * 60
    refused_for(verify("2001:db8::2"), MINUTE)  # the same subscriber's network
    assert verify("2001:db8:0:1::1").status_code == 401


def test_a_counter_begins_anew(
    client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    for _ in range(10):
        guess(client)
    assert guess(client, **DUMMY).status_code == 429
    execute(database_url, "UPDATE counter SET expires_at = '2001-01-01 00:00:00'")
    assert guess(client, **DUMMY).status_code == 200
    assert [guess(client).status_code for _ in range(11)] == [401] * 10 + [429]


def test_a_person_gets_a_page_that_says_when(client: FlaskClient, dummy: dict[str, str]) -> None:
    for _ in range(10):
        guess(client)
    page = client.get("/login", headers=BROWSER).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    fields = DUMMY | {"csrf_token": token}
    refused = client.post("/login", data=fields, headers=BROWSER | {"X-Forwarded-For": "192.0.2.1"})
    assert refused.status_code == 429
    assert "Retry-After" in refused.headers
    assert "Wait 15 minutes" in refused.text


def test_without_proxies_a_forged_address_changes_nothing(
    make_app: Callable[..., Flask],
) -> None:
    client = make_app(ratelimit_enabled=True).test_client()
    answers = [guess(client, f"192.0.2.{n}").status_code for n in range(11)]
    assert answers == [401] * 10 + [429]


def test_switched_off_nothing_is_counted(make_app: Callable[..., Flask]) -> None:
    client = make_app(ratelimit_enabled=False).test_client()
    assert {guess(client).status_code for _ in range(70)} == {401}


def test_a_hundred_guesses_at_once_do_not_get_past_the_limit(
    serve: Callable, database_url: str
) -> None:
    with serve(database_url, RATELIMIT_ENABLED="true", THREADS="256") as server:
        once(server.url, "POST", "/register", **DUMMY)

        def wrong(_: int) -> int:
            fields = {"username": "dummyuser", "password": "wrong"}
            return once(server.url, "POST", "/login", **fields).status

        with ThreadPoolExecutor(100) as pool:
            statuses = list(pool.map(wrong, range(100)))
        assert set(statuses) <= {401, 429, 503}
        assert statuses.count(401) == 10
        assert once(server.url, "POST", "/login", **DUMMY).status == 429
