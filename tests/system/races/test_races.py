"""Many at once: the database decides, and every worker and every database decides alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.application import DUMMY, assert_problem, bearer
from tests.support.browsing import Browser
from tests.support.databases import execute, select
from tests.support.http import Answer, Connection

CLIENTS = 50


def all_at_once(url: str, path: str, bodies: list[dict[str, str]]) -> list[Answer]:
    """Send every body over a connection of its own, all in one moment."""
    gate = Barrier(len(bodies))

    def send(body: dict[str, str]) -> Answer:
        with Connection(url) as connection:
            connection.send("GET", "/healthz")
            gate.wait(timeout=30)
            return connection.send("POST", path, **body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(send, bodies))


RACES = {
    "one username, in two cases": (
        [
            DUMMY | {"username": "BOB" if n % 2 else "bob", "email": f"p{n}@example.com"}
            for n in range(CLIENTS)
        ],
        "username",
    ),
    "one e-mail": ([DUMMY | {"username": f"person{n}"} for n in range(CLIENTS)], "email"),
}


@pytest.mark.parametrize(("bodies", "taken"), RACES.values(), ids=RACES)
def test_of_fifty_registrations_at_once_one_succeeds(
    serve: Callable[..., Any], database_url: str, bodies: list[dict[str, str]], taken: str
) -> None:
    with serve(database_url, WORKERS="2") as server:
        answers = all_at_once(server.url, "/register", bodies)
    assert Counter(answer.status for answer in answers) == {201: 1, 409: CLIENTS - 1}
    refused = [answer.json() for answer in answers if answer.status == 409]
    assert {(body["code"], *body["errors"]) for body in refused} == {(f"{taken}_taken", taken)}
    assert select(database_url, "SELECT count(*) FROM user") == [(1,)]


def test_fifty_people_at_once_are_all_registered(
    serve: Callable[..., Any], sqlite_url: str
) -> None:
    people = [
        DUMMY | {"username": f"person{n}", "email": f"p{n}@example.com"} for n in range(CLIENTS)
    ]
    with serve(sqlite_url, WORKERS="2") as server:
        answers = all_at_once(server.url, "/register", people)
    assert Counter(answer.status for answer in answers) == {201: CLIENTS}
    assert len({answer.json()["user"]["id"] for answer in answers}) == CLIENTS
    assert select(sqlite_url, "SELECT count(*) FROM user") == [(CLIENTS,)]


# --- spellings of one name: alike on every database -----------------------------------------------

BOB = {"username": "Bob", "email": "Bob@Example.com", "password": "dummy1234"}


@pytest.fixture
def bob(client: FlaskClient) -> None:
    assert client.post("/register", json=BOB).status_code == 201


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"username": "bob"}, 409, "username_taken"),
        ({"username": "BOB"}, 409, "username_taken"),
        ({"username": "böb"}, 400, "validation_error"),
        ({"username": "bob "}, 409, "username_taken"),
        ({"username": " bob"}, 409, "username_taken"),
        ({"username": "\uff22\uff2f\uff22"}, 400, "validation_error"),
        ({"username": "bob2", "email": "bob@example.com"}, 409, "email_taken"),
        ({"username": "bob2", "email": "BOB@EXAMPLE.COM"}, 409, "email_taken"),
        ({"username": "bob2", "email": "böb@example.com"}, 400, "validation_error"),
        ({"username": "bob2", "email": "bob@example.com "}, 409, "email_taken"),
    ],
)
def test_another_spelling_is_not_another_person(
    client: FlaskClient, bob: None, changed: dict[str, str], status: int, code: str
) -> None:
    field = list(changed)[-1]
    new = BOB | {"email": "other@example.com"} | changed
    assert_problem(client.post("/register", json=new), status, code, field)


BOTH_TAKEN = [("bob", "bob@example.com"), ("BOB", "Ann@Example.com"), ("ann", "bob@example.com")]


@pytest.mark.parametrize("path", ["/register", "/api/auth/register/"])
@pytest.mark.parametrize(("username", "email"), BOTH_TAKEN)
def test_where_both_are_taken_both_are_named(
    client: FlaskClient, bob: None, path: str, username: str, email: str
) -> None:
    """D16; by one account, or by two."""
    ann = BOB | {"username": "Ann", "email": "ann@example.com"}
    assert client.post("/register", json=ann).status_code == 201
    new = BOB | {"username": username, "email": email}
    answer = client.post(path, json=new)
    assert_problem(answer, 409, "username_taken", "username", "email")
    page = Browser(client.application).post("/register", **new)
    assert page.status_code == 409
    assert "That username is taken." in page.text
    assert "That e-mail already has an account." in page.text


def test_a_profile_names_both_where_both_are_taken(client: FlaskClient, bob: None) -> None:
    """D16."""
    ann = BOB | {"username": "Ann", "email": "ann@example.com"}
    assert client.post("/register", json=ann).status_code == 201
    token = client.post("/login", json=ann).get_json()["access_token"]
    change = {
        "username": "bob", "email": "bob@example.com", "current_password": BOB["password"],
    }  # fmt: skip
    answer = client.patch("/api/auth/me/", json=change, headers=bearer(token))
    assert (answer.status_code, answer.get_json()["code"]) == (409, "username_taken")
    assert {"username", "email"} <= answer.get_json().keys()
    own = {"username": "bob", "email": "ANN@example.com", "current_password": BOB["password"]}
    answer = client.patch("/api/auth/me/", json=own, headers=bearer(token))
    assert "email" not in answer.get_json(), "the own e-mail is not taken"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Bob", 200), ("bob", 200), ("BOB", 200),
        ("bob@example.com", 200), ("BOB@example.COM", 200),
        ("böb", 401), ("bob ", 200), (" bob", 200), ("bob\t", 200), ("bo%", 401),
        ("\uff22\uff2f\uff22", 401),
        ("bob@example.com ", 200), ("b_b", 401), ("bob' OR '1'='1", 401), ("bob\\", 401),
        ("bob\u200b", 401), ("bob😀", 401), ("b" * 5000, 401),
    ],
)  # fmt: skip
def test_a_name_logs_in_in_any_case_and_no_other_spelling(
    client: FlaskClient, bob: None, name: str, status: int
) -> None:
    answer = client.post("/login", json={"username": name, "password": BOB["password"]})
    assert answer.status_code == status


def test_a_username_that_is_anothers_email_belongs_to_the_username(
    client: FlaskClient, bob: None, database_url: str
) -> None:
    other = {"username": "other", "email": "other@example.com", "password": "other-password"}
    assert client.post("/register", json=other).status_code == 201
    execute(
        database_url,
        "UPDATE user SET username = 'bob@example.com', username_key = 'bob@example.com' "
        "WHERE username_key = 'other'",
    )
    login = {"username": "bob@example.com"}
    assert client.post("/login", json=login | {"password": "other-password"}).status_code == 200
    assert client.post("/login", json=login | {"password": BOB["password"]}).status_code == 401
