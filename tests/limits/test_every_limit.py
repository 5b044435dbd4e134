"""Every limit of CONTRACT 7 is counted in the database, which two replicas share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.application import DUMMY, assert_problem, bearer
from tests.support.databases import execute, select

MINUTE = 60
HERE = "192.0.2.1"
SETTINGS = {"ratelimit_enabled": True, "trusted_proxies": 1}
TOKEN_CALLS = {
    "/api/auth/token/refresh/": {"refresh": "x"},
    "/api/auth/token/verify/": {"token": "x"},
    "/api/auth/logout/": {"refresh_token": "x"},
    "/api/auth/social/token/": {"code": "x", "code_verifier": "x" * 43},
}


@dataclass
class Replica:
    """An application to ask, and an access token of the assignment's account."""

    client: FlaskClient
    access_token: str

    def post(self, path: str, fields: dict[str, str], address: str = HERE) -> TestResponse:
        return self.client.post(path, data=fields, headers={"X-Forwarded-For": address})


def guess(replica: Replica, number: int) -> TestResponse:
    path = ("/login", "/api/auth/login/")[number % 2]
    return replica.post(path, DUMMY | {"password": "wrong"})


def guess_from_all_over(replica: Replica, number: int) -> TestResponse:
    return replica.post("/login", DUMMY | {"password": "wrong"}, f"203.0.113.{number}")


def spray(replica: Replica, number: int) -> TestResponse:
    return replica.post("/login", {"username": f"name{number}", "password": "wrong"})


def confirm(replica: Replica, _: int) -> TestResponse:
    change = {"username": "other", "current_password": "wrong"}
    headers = bearer(replica.access_token)
    return replica.client.patch("/api/auth/me/", data=change, headers=headers)


def register(replica: Replica, number: int) -> TestResponse:
    name = f"user{number}"
    return replica.post("/register", DUMMY | {"username": name, "email": f"{name}@mail.com"})


def send_bad_token(replica: Replica, number: int) -> TestResponse:
    path = list(TOKEN_CALLS)[number % len(TOKEN_CALLS)]
    return replica.post(path, TOKEN_CALLS[path])


@dataclass(frozen=True)
class Limit:
    """A row of the table: how often within how many seconds, and what else is answered.

    Attributes:
        send: asks for what is counted, for the nth time.
        statuses: below the limit.
        counter: the name of its counter, as LIKE sees it.

    """

    amount: int
    seconds: int
    send: Callable[[Replica, int], TestResponse]
    statuses: frozenset[int]
    counter: str


LIMITS = {
    "failed logins of an account from an address":
        Limit(10, 15 * MINUTE, guess, frozenset({401}), "%/login/user-%/192.0.2.1/10/%"),
    "failed logins of an account":
        Limit(50, 15 * MINUTE, guess_from_all_over, frozenset({401}), "%/login/user-%/50/%"),
    "failed logins of an address":
        Limit(100, 15 * MINUTE, spray, frozenset({401}), "%/spraying/192.0.2.1/100/%"),
    "failed confirmations in a session":
        Limit(10, 15 * MINUTE, confirm, frozenset({403}), "%/confirm/session-%/10/%"),
    "registrations of an address":
        Limit(60, 60 * MINUTE, register, frozenset({201}), "%/register/192.0.2.1/60/%"),
    "bad tokens of an address":
        Limit(60, MINUTE, send_bad_token, frozenset({400, 401}), "%/token/192.0.2.1/60/%"),
}  # fmt: skip
EVERY_LIMIT = pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)


def replica_of(app: Flask) -> Replica:
    """Ask this application; the account comes from another address than what is counted."""
    client = app.test_client()
    elsewhere = {"X-Forwarded-For": "198.51.100.7"}
    client.post("/register", data=DUMMY, headers=elsewhere)
    pair = client.post("/login", data=DUMMY, headers=elsewhere).get_json()
    return Replica(client, pair["access_token"])


@EVERY_LIMIT
def test_two_replicas_count_together(
    make_app: Callable[..., Flask], database_url: str, limit: Limit
) -> None:
    one = replica_of(make_app(**SETTINGS))
    other = Replica(make_app(**SETTINGS).test_client(), one.access_token)
    replicas = [one, other]

    answers = [limit.send(replicas[n % 2], n) for n in range(limit.amount)]
    assert {answer.status_code for answer in answers} <= limit.statuses
    counted = select(database_url, f"SELECT value FROM counter WHERE name LIKE '{limit.counter}'")
    assert counted == [(limit.amount,)]

    for replica in replicas:
        refused = limit.send(replica, limit.amount)
        assert_problem(refused, 429, "too_many_requests")
        assert 1 <= int(refused.headers["Retry-After"]) <= limit.seconds

    execute(database_url, "UPDATE counter SET expires_at = '2001-01-01 00:00:00'")
    for number, replica in enumerate(replicas):
        assert limit.send(replica, limit.amount + number).status_code in limit.statuses
