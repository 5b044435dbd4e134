"""Logging in with a hash of another program: once with that, and from then on with our own."""

from __future__ import annotations

import hashlib
import unicodedata
from base64 import b64encode
from collections.abc import Callable

import bcrypt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import hashes
from tests.support.application import DUMMY, assert_problem
from tests.support.databases import execute, select

COST = 6
ANY = [
    hashes.PHP_10, hashes.HTPASSWD_5, hashes.PBKDF2_SALTED, hashes.BCRYPT_SHA256,
    hashes.PHP_10.replace("$2y", "$2b"),
]  # fmt: skip
TODAY = f"$2b$0{COST}$"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(bcrypt_log_rounds=COST)


@pytest.fixture
def imported(
    client: FlaskClient, dummy: dict[str, str], database_url: str
) -> Callable[[str], Callable[[str], int]]:
    """Give the account a hash; then log in with passwords."""

    def give(stored: str) -> Callable[[str], int]:
        execute(database_url, f"UPDATE user SET password = '{stored}'")
        return lambda typed: client.post("/login", json=DUMMY | {"password": typed}).status_code

    return give


Give = Callable[[str], Callable[[str], int]]


def stored(database_url: str) -> tuple[str, int]:
    ((text, epoch),) = select(database_url, "SELECT password, auth_epoch FROM user")
    return str(text), int(epoch)


@pytest.mark.parametrize("text", ANY)
def test_the_first_login_replaces_the_hash_and_changes_nothing_else(
    imported: Give, database_url: str, text: str
) -> None:
    log_in = imported(text)
    _, epoch = stored(database_url)
    assert log_in(hashes.PASSWORD.upper()) == 401
    assert stored(database_url) == (text, epoch)
    assert log_in(hashes.PASSWORD) == 200
    renewed = stored(database_url)
    assert renewed[0].startswith(TODAY)
    assert renewed[1] == epoch
    assert log_in(hashes.PASSWORD) == 200
    assert stored(database_url) == renewed
    assert log_in(hashes.PASSWORD.upper()) == 401


def test_a_dearer_hash_is_replaced_too(imported: Give, database_url: str) -> None:
    dearer = bcrypt.hashpw(hashes.PASSWORD.encode(), bcrypt.gensalt(COST + 1)).decode()
    assert imported(dearer)(hashes.PASSWORD) == 200
    assert stored(database_url)[0].startswith(TODAY)


@pytest.mark.parametrize("text", [hashes.PBKDF2_LONG, hashes.BCRYPT_SHA256_LONG])
def test_a_password_beyond_72_bytes_logs_in_and_keeps_its_hash(
    imported: Give, database_url: str, text: str
) -> None:
    log_in = imported(text)
    assert [log_in(hashes.LONG), log_in(hashes.LONG)] == [200, 200]
    assert stored(database_url)[0] == text
    assert log_in(hashes.LONG[:72]) == 401


def test_a_password_that_php_cut_off_at_72_bytes_is_wrong(imported: Give) -> None:
    log_in = imported(hashes.PHP_LONG)
    assert log_in(hashes.LONG) == 401
    # What PHP has hashed in fact.
    assert log_in(hashes.LONG[:72]) == 200


@pytest.mark.parametrize("text", [hashes.PBKDF2_DECOMPOSED, hashes.PHP_DECOMPOSED])
def test_a_password_counts_as_typed_at_first_and_then_in_every_spelling(
    imported: Give, text: str
) -> None:
    composed = unicodedata.normalize("NFC", hashes.DECOMPOSED)
    log_in = imported(text)
    assert log_in(composed) == 401  # as in the other program
    assert log_in(hashes.DECOMPOSED) == 200
    assert log_in(composed) == 200


def test_a_hash_of_the_composed_spelling_takes_both_at_once(imported: Give) -> None:
    composed = unicodedata.normalize("NFC", hashes.DECOMPOSED)
    made = hashlib.pbkdf2_hmac("sha256", composed.encode(), b"garam", 1000)
    log_in = imported(f"pbkdf2_sha256$1000$garam${b64encode(made).decode()}")
    assert log_in(hashes.DECOMPOSED) == 200


# --- equal work ----------------------------------------------------------------------------------


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


@pytest.mark.parametrize("text", ["damaged", hashes.HTPASSWD_5, hashes.PHP_10])
@pytest.mark.parametrize(("typed", "times"), [("wrong", 1), (hashes.DECOMPOSED, 2)])
def test_a_wrong_password_takes_the_same_work_for_each_of_its_spellings(  # noqa: PLR0917
    make_app: Callable[..., Flask], dummy: dict[str, str], work: list[int],
    database_url: str, text: str, typed: str, times: int,
) -> None:  # fmt: skip
    client = make_app(bcrypt_log_rounds=10).test_client()
    execute(database_url, f"UPDATE user SET password = '{text}'")
    work.clear()
    assert_problem(
        client.post("/login", json=DUMMY | {"password": typed}), 401, "invalid_credentials"
    )
    assert sum(work) == times * 2**10


def test_pbkdf2_is_filled_up_with_bcrypt(
    make_app: Callable[..., Flask], dummy: dict[str, str], work: list[int], database_url: str
) -> None:
    """By time, so that only the bounds are exact; tests/system/load measures it."""
    client = make_app(bcrypt_log_rounds=10).test_client()
    cheap = hashes.PBKDF2_SALTED.replace("$20000$", "$1$")
    rounds = []
    for text in (cheap, hashes.PBKDF2_SALTED, hashes.PBKDF2_1000000):
        execute(database_url, f"UPDATE user SET password = '{text}'")
        work.clear()
        assert client.post("/login", json=DUMMY | {"password": "wrong"}).status_code == 401
        rounds.append(sum(work))
    assert 2**10 * 0.9 < rounds[0] <= 2**10
    assert 2**6 <= rounds[1] < rounds[0]
    assert rounds[2] == 2**6  # only what it is compared with: it takes longer by itself
