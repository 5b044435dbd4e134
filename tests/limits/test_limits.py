"""How often is too often: over all spellings, addresses and workers (CONTRACT 7)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.config import ConfigError
from app.core.errors import TooManyRequestsError
from app.limits import rules
from app.limits.attempts import ConfirmationAttempt, LoginAttempt
from app.passwords import hashing_pool
from tests.support.application import BROWSER, DUMMY, assert_problem, bearer
from tests.support.browsing import Browser
from tests.support.databases import execute, select
from tests.support.http import once
from tests.support.servers import Server

MINUTE, HOUR = 60, 3600


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """With limits, and one proxy in front, whose word on the client's address counts."""
    return make_app(ratelimit_enabled=True, trusted_proxies=1)


def guess(
    client: FlaskClient, address: str = "192.0.2.1", path: str = "/login", **fields: str
) -> TestResponse:
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


def test_of_guesses_sent_at_once_those_beyond_the_limit_of_an_account_do_not_count(
    app: Flask,
) -> None:
    """All have passed the check before the first is hashed, and come from as many networks."""

    def attempt(n: int, *, known: bool = False) -> LoginAttempt:
        return LoginAttempt(1, f"198.51.100.{n}", None, lambda: known)

    with app.app_context():
        guesses = [attempt(n) for n in range(rules.FAILURES_OF_ACCOUNT.amount + 1)]
        for each in guesses:
            each.check()
        for each in guesses[:-1]:
            each.record_failure()
        with pytest.raises(TooManyRequestsError):
            guesses[-1].record_failure()
        assert attempt(200, known=True).record_failure() is not None


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
    hashed: list[int] = []
    pool = hashing_pool.pool.of(app)
    run = pool.run

    def noted(*work: Any) -> Any:
        hashed.append(1)
        return run(*work)

    monkeypatch.setattr(pool, "run", noted)
    assert guess(client).status_code == 429
    assert hashed == []
    assert guess(client, "192.0.2.2").status_code == 401
    assert hashed == [1]


def test_a_signed_in_thief_does_not_guess_the_password_for_ever(
    client: FlaskClient, tokens: dict[str, Any]
) -> None:
    def confirm(password: str) -> TestResponse:
        change = {"current_password": password, "username": "other"}
        return client.patch("/api/auth/me/", data=change, headers=bearer(tokens["access_token"]))

    assert [confirm("wrong").status_code for _ in range(11)] == [403] * 10 + [429]
    assert confirm(DUMMY["password"]).status_code == 429


def test_an_address_makes_sixty_accounts_an_hour(client: FlaskClient) -> None:
    def register(number: int, address: str) -> TestResponse:
        fields = {"username": f"user{number}", "email": f"user{number}@mail.com"}
        return client.post("/register", data=DUMMY | fields, headers={"X-Forwarded-For": address})

    assert {register(n, "192.0.2.1").status_code for n in range(60)} == {201}
    refused_for(register(60, "192.0.2.1"), HOUR)
    assert register(60, "192.0.2.2").status_code == 201


def test_only_tokens_that_are_not_ours_count(client: FlaskClient, tokens: dict[str, Any]) -> None:
    def verify(address: str, token: str = "x") -> TestResponse:
        headers = {"X-Forwarded-For": address}
        return client.post("/api/auth/token/verify/", data={"token": token}, headers=headers)

    good = tokens["refresh_token"]
    assert {verify("2001:db8::1", good).status_code for _ in range(61)} == {200}
    assert [verify("2001:db8::1").status_code for _ in range(60)] == [401] * 60
    refused_for(verify("2001:db8::2"), MINUTE)  # the same subscriber's network
    assert verify("2001:db8:0:1::1").status_code == 401
    assert verify("2001:db8::1", good).status_code == 200


def test_revoked_tokens_and_the_other_type_do_not_count(
    client: FlaskClient, tokens: dict[str, Any], database_url: str
) -> None:
    refresh = {"refresh": tokens["refresh_token"]}
    assert client.post("/api/auth/logout/", data=refresh).status_code == 200
    for body in (refresh, {"refresh": tokens["access_token"]}):
        answers = {
            client.post("/api/auth/token/refresh/", data=body).status_code for _ in range(61)
        }
        assert answers == {401}
    assert select(database_url, "SELECT name FROM counter WHERE name LIKE '%token%'") == []


def test_an_address_fails_a_hundred_times_over_all_accounts(
    client: FlaskClient, dummy: dict[str, str]
) -> None:
    home = "198.51.100.7"
    assert guess(client, home, **DUMMY).status_code == 200
    names = [f"name{n}" for n in range(100)]
    assert {guess(client, home, username=name).status_code for name in names} == {401}
    refused_for(guess(client, home, username="another"), 15 * MINUTE)
    assert guess(client, home, **DUMMY).status_code == 200
    assert guess(client, "198.51.100.8", username="another").status_code == 401


def test_trusted_backends_are_not_counted_by_address_but_accounts_are(
    make_app: Callable[..., Flask], dummy: dict[str, str]
) -> None:
    client = make_app(
        ratelimit_enabled=True, trusted_proxies=1, trusted_backends=(ip_network("10.0.0.0/24"),)
    ).test_client()
    assert [guess(client, "10.0.0.5").status_code for _ in range(51)] == [401] * 50 + [429]
    names = [f"name{n}" for n in range(101)]
    assert {guess(client, "10.0.0.6", username=name).status_code for name in names} == {401}


def test_a_stranger_at_the_same_address_does_not_lock_out_a_known_browser(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    browser = Browser(app)
    assert browser.post("/login", **DUMMY).status_code == 303
    assert browser.post("/logout").status_code == 303
    assert [guess(client, "").status_code for _ in range(11)] == [401] * 10 + [429]
    assert Browser(app).post("/login", **DUMMY).status_code == 429
    assert browser.post("/login", **DUMMY).status_code == 303


def test_a_page_warns_before_the_last_tries(app: Flask, dummy: dict[str, str]) -> None:
    browser = Browser(app)
    wrong = {"username": "dummyuser", "password": "wrong"}
    pages = [browser.post("/login", **wrong).text for _ in range(9)]
    assert not any("more tr" in page for page in pages[:7])
    assert "Two more tries, then wait 15 minutes." in pages[7]
    assert "One more try, then wait 15 minutes." in pages[8]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_form_is_not_counted_against_its_visitor(
    client: FlaskClient, database_url: str, site: str
) -> None:
    for headers in ({}, BROWSER):
        sent = headers | {"Sec-Fetch-Site": site}
        for path in ("/login", "/register", "/api/auth/login/"):
            assert client.post(path, data=DUMMY, headers=sent).status_code == 403
    assert select(database_url, "SELECT * FROM counter") == []


def test_registration_can_be_closed(make_app: Callable[..., Flask]) -> None:
    app = make_app(registration="closed")
    for path in ("/register", "/api/auth/register/"):
        answer = app.test_client().post(path, data=DUMMY)
        assert_problem(answer, 403, "registration_closed")
    browser = Browser(app)
    assert "<form" not in browser.get("/register").text.partition("<main")[2]
    assert browser.post("/register", **DUMMY).status_code == 403


@pytest.mark.parametrize(
    ("uri", "named"), [("redsi://user:s3cret@host", " redsi://…"), ("user:s3cret@host", "")]
)
def test_a_mistyped_storage_does_not_print_its_password(
    make_app: Callable[..., Flask], uri: str, named: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        make_app(ratelimit_enabled=True, ratelimit_storage_uri=uri)
    assert str(refused.value) == (
        f"RATELIMIT_STORAGE_URI{named} cannot be used: it names a storage of the library limits "
        "that is not installed, or is malformed."
    )


def test_what_a_limit_refuses_is_in_the_log(
    client: FlaskClient, dummy: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    def refusals() -> list[Any]:
        return [
            vars(record)["facts"] for record in caplog.records if record.msg == "limit.exceeded"
        ]

    for _ in range(10):
        assert guess(client).status_code == 401
    assert refusals() == []
    refused_for(guess(client), 15 * MINUTE)
    (facts,) = refusals()
    assert facts["limit"] == "10 per 15 minute"


def test_a_limit_that_ends_now_is_waited_for_a_second(app: Flask) -> None:
    with app.app_context(), pytest.raises(TooManyRequestsError) as refused:
        rules.refuse(rules.CONFIRMATIONS, "a counter that nobody began")
    assert refused.value.retry_after == 1


def test_switched_off_no_number_of_tries_is_left(make_app: Callable[..., Flask]) -> None:
    with make_app(ratelimit_enabled=False).app_context():
        assert ConfirmationAttempt(1).record_failure() is None


@pytest.mark.system
def test_replicas_share_the_counters(
    serve: Callable[..., AbstractContextManager[Server]], database_url: str
) -> None:
    shared = {"RATELIMIT_ENABLED": "true", "WORKERS": "1", "PUBLIC_URL": "http://login.example.com"}
    with serve(database_url, **shared) as one, serve(database_url, **shared) as other:
        wrong = {"username": "dummyuser", "password": "wrong"}
        urls = [one.url, other.url] * 5
        assert [once(url, "POST", "/login", **wrong).status for url in urls] == [401] * 10
        assert {once(url, "POST", "/login", **wrong).status for url in urls[:2]} == {429}


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
    assert "Too many wrong passwords. Try again in 15 minutes." in refused.text
    assert 'value="dummyuser"' in refused.text  # D9: what was typed stays


def test_without_proxies_a_forged_address_changes_nothing(
    make_app: Callable[..., Flask],
) -> None:
    client = make_app(ratelimit_enabled=True).test_client()
    answers = [guess(client, f"192.0.2.{n}").status_code for n in range(11)]
    assert answers == [401] * 10 + [429]


def test_switched_off_nothing_is_counted(make_app: Callable[..., Flask]) -> None:
    client = make_app(ratelimit_enabled=False).test_client()
    assert {guess(client).status_code for _ in range(70)} == {401}


@pytest.mark.system
def test_a_hundred_guesses_at_once_do_not_get_past_the_limit(
    serve: Callable[..., AbstractContextManager[Server]], database_url: str
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
