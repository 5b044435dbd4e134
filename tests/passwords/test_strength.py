"""Passwords that are guessed soon: the same ones as zxcvbn finds, found in a moment."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from zxcvbn import matching, scoring

from app.passwords import strength

OWN = ["kucingoren", "kucing@example.com"]
REFERENCE = f"""
import json, sys
from zxcvbn import zxcvbn
judge = lambda password: zxcvbn(password, {OWN})["guesses"] < {strength.MIN_GUESSES}
json.dump([judge(password) for password in json.load(sys.stdin)], sys.stdout)
"""
# The words of every list that zxcvbn ranks, the likeliest and the others alike.
LISTS = """
import json, sys
from zxcvbn.frequency_lists import FREQUENCY_LISTS
json.dump([[*words[:1000], *words[1000::20]] for words in FREQUENCY_LISTS.values()], sys.stdout)
"""
WALKS = ["qwertyuiop", "asdfghjkl", "1qaz2wsx", "zxcvbnm,./", "!@#$%^&*()", "789456123"]
RUNS = ["abcdefghijklmnopqrstuvwxyz", "zyxwvutsrq", "0123456789", "acegikm", "!\"#$%&'", "αβγδεζηθ"]
DATES = ["1.1.1991", "19910101", "2017-05-05", "31121999", "1999", "199119", "01/01/2000"]


def answer(program: str, question: object) -> list[object]:
    """What another process says: `app.passwords.strength` takes zxcvbn's lists away in this one."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(question), check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: list[object] = json.loads(done.stdout)
    return found


def changed(text: str, chance: random.Random) -> str:
    """The text as people make it "safer"."""
    return chance.choice(
        [
            text,
            text.title(),
            text[::-1],
            "".join(chance.choice((letter, letter.upper())) for letter in text),
            "".join(chance.choice(matching.L33T_TABLE.get(letter, letter)) for letter in text),
            text * chance.randrange(2, 5),
            text[:4] * chance.randrange(2, 6),
            text + chance.choice(["1", "123", "!", "2020"]),
            text[chance.randrange(3) : chance.randrange(4, 26)],
        ]
    )


def samples(count: int) -> list[str]:
    """Passwords of every kind that zxcvbn knows, and of none."""
    chance = random.Random(20)
    kinds = [*answer(LISTS, None), OWN, WALKS, RUNS, DATES]
    found: list[str] = []
    while len(found) < count:
        text = changed(chance.choice(chance.choice(kinds)), chance)  # type: ignore[arg-type]
        noise = "".join(chance.choices("aab1.\n é", k=chance.randrange(1, 14)))
        found.append((chance.choice([text, changed(text, chance), noise]) or "a")[:72])
    return found


@pytest.mark.parametrize("count", [600, pytest.param(6000, marks=pytest.mark.system)])
def test_the_verdict_is_zxcvbns(count: int) -> None:
    passwords = samples(count)
    theirs = answer(REFERENCE, passwords)
    ours = [strength.is_guessed_soon(password, OWN) for password in passwords]
    own = {word for word, _ in strength._indonesian()}  # which zxcvbn's lists lack
    differ = [p for p, a, b in zip(passwords, theirs, ours, strict=True) if a != b]
    assert [p for p in differ if not is_disguised(p, own)] == []
    assert count / 6 < sum(ours) < count * 5 / 6


def is_disguised(password: str, words: set[str]) -> bool:
    """Whether a password is one of the words, written otherwise or over and over."""
    plain = re.sub(r"^(.+?)\1+$", r"\1", password.lower())
    disguises = matching.relevant_l33t_subtable(plain, matching.L33T_TABLE)
    readings = {plain, plain[::-1]} | {
        matching.translate(plain, letters) for letters in matching.enumerate_l33t_subs(disguises)
    }
    return bool(readings & words)


def test_a_second_part_alone_is_enough_guesses() -> None:
    assert scoring.MIN_GUESSES_BEFORE_GROWING_SEQUENCE >= strength.MIN_GUESSES


@pytest.mark.parametrize(
    "password",
    [
        "4@8({[<369!1|07$5+%2" * 3,
        "1212" * 18,
        "1" * 72,
        "12.12.1212" * 7,
        "4@8({[<369!1|07$5+%2e8aG3#kQ5zWx1t?p" * 2,
    ],
    ids=["disguises", "turns", "one digit", "dates", "everything twice"],
)
def test_a_crafted_password_takes_no_long_search(password: str) -> None:
    """zxcvbn itself goes through hundreds of spellings, and through all parts of each."""
    steps = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event == "call"

    sys.setprofile(count)
    try:
        strength.is_guessed_soon(password, OWN)
    finally:
        sys.setprofile(None)
    assert steps < 2_000


@pytest.mark.parametrize(
    "password",
    ["sayangkamu", "bismillah123", "indonesia45", "rahasia123", "Persib1945",
     "katasandi", "bhinnekatunggalika", "nasigoreng"],
)  # fmt: skip
def test_what_indonesians_use_is_guessed_soon(password: str) -> None:
    assert strength.is_guessed_soon(password, [])


def test_the_indonesian_words_are_at_most_500_and_all_count() -> None:
    words = (Path(strength.__file__).with_name("indonesian.txt")).read_text().split()
    assert len(words) == len(set(words)) <= 500
    assert all(strength.is_guessed_soon(f"{word}2000", []) for word in words)
