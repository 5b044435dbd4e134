"""How passwords are checked: the same work and words whoever asks, and never more than fits."""

from __future__ import annotations

from collections.abc import Callable

import bcrypt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.application import DUMMY, assert_problem
from tests.support.databases import execute, select

COST = 6
# The dummy user's password at cost 4.
OLDER = "$2b$04$UtoBbg7yvomC6tbT3Pns5e7fKzOwwwstXJCS6h5Inh55r2.Ev3k0m"
CORRUPT = [
    "", "x", "dummy1234", "$2b$06$", "$2b$06$short", "$2b$99$" + "a" * 53, "$2b$00$" + "a" * 53,
    "$2b$6$" + "a" * 54, "$1$" + "a" * 57, "$2b$06$" + "é" * 53, OLDER[:-1], f"{OLDER}a",
    f" {OLDER}", OLDER.replace("$2b", "$2z"),
]  # fmt: skip


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(bcrypt_log_rounds=COST)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What bcrypt is made to do, in rounds; it does it all the same."""
    done: list[int] = []
    real = bcrypt.hashpw

    def hashpw(password: bytes, salt: bytes) -> bytes:
        done.append(2 ** int(salt[4:6]))
        return real(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    return done


# Who is refused: what the table says of the account, and what is sent.
REFUSED: dict[str, tuple[str | None, dict[str, str]]] = {
    "nobody": (None, {"username": "nobody"}),
    "an e-mail of nobody": (None, {"username": "nobody@example.com"}),
    "a wrong password": (None, {"password": "wrong"}),
    "a wrong password by e-mail": (None, {"username": DUMMY["email"], "password": "wrong"}),
    "a disabled account": ("disabled_at = '2026-01-01 00:00:00'", {}),
    "an account without a password": ("password = NULL", {}),
    "a password of 73 bytes": (None, {"password": "a" * 73}),
    "a wrong password for an older hash": (f"password = '{OLDER}'", {"password": "wrong"}),
    "a corrupt hash": ("password = '$2b$06$corrupt'", {}),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_every_refusal_takes_the_same_work(
    client: FlaskClient,
    dummy: dict[str, str],
    work: list[int],
    database_url: str,
    case: tuple[str | None, dict[str, str]],
) -> None:
    if case[0]:
        execute(database_url, f"UPDATE user SET {case[0]}")
    work.clear()
    assert client.post("/login", json=dummy | case[1]).status_code == 401
    assert sum(work) == 2**COST


def test_every_refusal_has_the_same_words(
    client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    answers = set()
    for change, sent in REFUSED.values():
        if change:
            execute(database_url, f"UPDATE user SET {change}")
        answer = client.post("/login", json=dummy | sent)
        headers = {n: v for n, v in answer.headers if n not in {"X-Request-Id", "Date"}}
        answers.add((answer.status_code, answer.text, str(headers)))
    assert len(answers) == 1


def test_a_refused_form_costs_no_work(client: FlaskClient, work: list[int]) -> None:
    assert client.post("/login", json={"username": "dummyuser"}).status_code == 400
    assert client.post("/register", json=DUMMY | {"email": "x"}).status_code == 400
    assert work == []


def test_a_hash_of_an_older_cost_is_made_anew_at_a_login(
    client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    execute(database_url, f"UPDATE user SET password = '{OLDER}'")
    assert client.post("/login", json=dummy | {"password": "wrong"}).status_code == 401
    assert select(database_url, "SELECT password FROM user") == [(OLDER,)]
    assert client.post("/login", json=dummy).status_code == 200
    ((renewed,),) = select(database_url, "SELECT password FROM user")
    assert renewed.startswith(f"$2b$0{COST}$")
    assert client.post("/login", json=dummy).status_code == 200
    assert select(database_url, "SELECT password FROM user") == [(renewed,)]


@pytest.mark.parametrize("kind", ["$2a", "$2y", "$2b"])
def test_a_hash_that_another_program_made_logs_in(
    client: FlaskClient, dummy: dict[str, str], database_url: str, kind: str
) -> None:
    execute(database_url, f"UPDATE user SET password = '{OLDER.replace('$2b', kind)}'")
    assert client.post("/login", json=dummy).status_code == 200


@pytest.mark.parametrize("stored", CORRUPT)
def test_a_corrupt_hash_is_a_wrong_password(
    client: FlaskClient, dummy: dict[str, str], database_url: str, stored: str
) -> None:
    execute(database_url, f"UPDATE user SET password = '{stored}'")
    for password in (dummy["password"], stored or "x", "wrong"):
        answer = client.post("/login", json=dummy | {"password": password})
        assert_problem(answer, 401, "invalid_credentials")
