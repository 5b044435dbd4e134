"""The hashes of other programs: which are recognised, what matches, and why others are refused."""

from __future__ import annotations

import pytest

from app.passwords.schemes import (
    BCRYPT,
    BCRYPT_SHA256,
    MAX_BCRYPT_COST,
    MAX_ITERATIONS,
    PBKDF2_SHA256,
    recognise,
    refusal,
)
from tests.support import hashes

RECOGNISED = {
    hashes.PHP_10: (BCRYPT, 10),
    hashes.PHP_10.replace("$2y", "$2a"): (BCRYPT, 10),
    hashes.PHP_10.replace("$2y", "$2b"): (BCRYPT, 10),
    hashes.HTPASSWD_5: (BCRYPT, 5),
    hashes.BCRYPT_SHA256: (BCRYPT_SHA256, 10),
    hashes.PBKDF2_SALTED: (PBKDF2_SHA256, 20_000),
}


@pytest.mark.parametrize(("text", "kind"), RECOGNISED.items())
def test_a_hash_names_its_scheme_and_cost_and_matches_its_password(
    text: str, kind: tuple[str, int]
) -> None:
    known = recognise(text)
    assert known is not None
    assert (known.scheme, known.cost, known.text) == (*kind, text)
    assert known.matches(hashes.PASSWORD)
    for wrong in (hashes.PASSWORD.upper(), f"{hashes.PASSWORD} ", hashes.PASSWORD[:-1]):
        assert not known.matches(wrong)
    assert refusal(text, 12) is None


def test_the_cost_is_that_of_the_hash() -> None:
    costs = [
        known.cost
        for known in map(recognise, (hashes.PHP_13, hashes.PBKDF2_260000))
        if known is not None and known.matches(hashes.PASSWORD)
    ]
    assert costs == [13, 260_000]


@pytest.mark.parametrize(
    ("text", "takes_long"),
    [(hashes.PHP_10, False), (hashes.BCRYPT_SHA256, True), (hashes.PBKDF2_SALTED, True)],
)
def test_bcrypt_alone_has_72_bytes_and_nothing_takes_nul(text: str, takes_long: bool) -> None:
    known = recognise(text)
    assert known is not None
    assert known.takes("a" * 72)
    assert known.takes("é" * 36)
    assert known.takes("a" * 73) is takes_long
    assert known.takes("é" * 36 + "a") is takes_long
    for never in ("", "\0", "a\0", "\0a"):
        assert not known.takes(never)


@pytest.mark.parametrize(
    ("text", "password"),
    [
        (hashes.PBKDF2_LONG, hashes.LONG),
        (hashes.BCRYPT_SHA256_LONG, hashes.LONG),
        (hashes.PBKDF2_DECOMPOSED, hashes.DECOMPOSED),
        (hashes.PHP_DECOMPOSED, hashes.DECOMPOSED),
    ],
)
def test_long_and_decomposed_passwords_match_as_the_other_program_hashed_them(
    text: str, password: str
) -> None:
    known = recognise(text)
    assert known is not None
    assert known.matches(password)
    assert not known.matches(password[:-1])


@pytest.mark.parametrize(("text", "reason"), hashes.FOREIGN.items())
def test_what_a_login_cannot_check_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert recognise(text) is None
    said = refusal(text, 12)
    assert said is not None
    assert reason in said
    assert text not in said


@pytest.mark.parametrize("text", ["", " ", hashes.PHP_10 + "\n", "\n" + hashes.PHP_10])
def test_nothing_stands_around_a_hash(text: str) -> None:
    assert recognise(text) is None


def with_cost(text: str, cost: int) -> str:
    return text.replace("$10$", f"${cost:02}$").replace("$20000$", f"${cost}$")


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (hashes.PHP_10, MAX_BCRYPT_COST),
        (hashes.BCRYPT_SHA256, MAX_BCRYPT_COST),
        (hashes.PBKDF2_SALTED, MAX_ITERATIONS),
    ],
)
def test_a_cost_beyond_the_most_is_refused_and_named(text: str, most: int) -> None:
    assert refusal(with_cost(text, most), 12) is None
    said = refusal(with_cost(text, most + 1), 12)
    assert said == f"the cost of its hash is {most + 1:,}, and {most:,} is the most"


def test_the_configured_cost_of_bcrypt_is_never_too_high() -> None:
    assert refusal(with_cost(hashes.PHP_10, 16), 16) is None
    assert "16 is the most" in str(refusal(with_cost(hashes.PHP_10, 17), 16))
    assert refusal(with_cost(hashes.PBKDF2_SALTED, MAX_ITERATIONS + 1), 16) is not None


def test_the_caps_are_what_the_documentation_says() -> None:
    assert (MAX_BCRYPT_COST, MAX_ITERATIONS) == (14, 2_000_000)
