"""A refused login takes the same time whatever program made the account's hash (SECURITY 11).

Cheaper hashes are filled up; dearer ones take longer, which docs/import states.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import bcrypt
import pytest
from flask import Flask

from tests.support import hashes
from tests.support.application import DUMMY
from tests.support.databases import execute

pytestmark = pytest.mark.alone

ROUNDS = 10  # the lowest of a service, so that 200 samples of each take two minutes
DEFAULT_ROUNDS = 12
SAMPLES = 200
MOST = 0.05  # of a hash
CHEAPER = {
    "bcrypt 5": hashes.HTPASSWD_5,
    "bcrypt_sha256 8": hashes.BCRYPT_SHA256.replace("$10$", "$08$"),
    "pbkdf2 20,000": hashes.PBKDF2_SALTED,
    "pbkdf2 100,000": hashes.PBKDF2_SALTED.replace("$20000$", "$100000$"),
}
DEARER = {
    "bcrypt 13": hashes.PHP_13,
    "bcrypt 14": hashes.PHP_13.replace("$13$", "$14$"),
    "pbkdf2 1,000,000": hashes.PBKDF2_1000000,
    "pbkdf2 2,000,000": hashes.PBKDF2_1000000.replace("$1000000$", "$2000000$"),
}
Clock = Callable[[], float]
Take = Callable[[dict[str, str], int, int, Clock], dict[str, list[float]]]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The time of hashing does not depend on the database."""
    return sqlite_url


@pytest.fixture
def take_times(make_app: Callable[..., Flask], database_url: str) -> Take:
    def take(
        kinds: dict[str, str], rounds: int, samples: int, clock: Clock
    ) -> dict[str, list[float]]:
        client = make_app(bcrypt_log_rounds=rounds).test_client()
        assert client.post("/register", data=DUMMY).status_code == 201
        usual = bcrypt.hashpw(b"another", bcrypt.gensalt(rounds)).decode()
        kinds = {"nobody": "", "usual": usual} | kinds
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(samples):
            for kind in random.sample(list(kinds), len(kinds)):
                execute(database_url, f"UPDATE user SET password = '{kinds[kind]}'")
                name = "nobody" if kind == "nobody" else DUMMY["username"]
                began = clock()
                answer = client.post("/login", json={"username": name, "password": "not this"})
                times[kind].append(clock() - began)
                assert answer.status_code == 401
        return times

    return take


def gaps(times: dict[str, list[float]]) -> dict[str, float]:
    """By how many hashes each kind takes longer than an account that there is not."""
    usual = statistics.median(times["nobody"])
    found = {}
    for kind, taken in times.items():
        # Of pairs, since a busy moment of the machine slows both of a pair.
        pairs = zip(taken, times["nobody"], strict=True)
        found[kind] = statistics.median(one - other for one, other in pairs) / usual
    print(f"a hash takes {usual * 1000:.0f} ms; longer than nobody by, in hashes:")  # noqa: T201
    for kind, gap in found.items():
        print(f"  {kind:18} {gap:+.3f}")  # noqa: T201 - for `pytest -rP`
    return found


def test_a_cheaper_hash_takes_as_long_as_none(take_times: Take) -> None:
    found = gaps(take_times(CHEAPER, ROUNDS, SAMPLES, time.perf_counter))
    assert {kind: gap for kind, gap in found.items() if abs(gap) >= MOST} == {}


def test_a_dearer_hash_takes_longer_within_what_the_documentation_states(
    take_times: Take,
) -> None:
    # By the processor's time: ten samples are too few for a busy machine's clock.
    found = gaps(take_times(DEARER, DEFAULT_ROUNDS, 10, time.process_time))
    for kind, gap in found.items():
        assert gap < 4, kind
