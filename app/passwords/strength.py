"""Guessable passwords, by zxcvbn's estimate but without its search.

zxcvbn searches for the cheapest decomposition of a password, which takes seconds for a crafted
one. Every part after the first adds at least 10,000 guesses, so a threshold of 10,000 needs only
the matches that cover the whole password.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from zxcvbn import frequency_lists, matching, scoring

MIN_GUESSES = 10_000
# Matches beyond these never fall below the threshold and are slow to find: keyboard walks with more
# turns, and longer dates.
_MOST_TURNS = 3
_LONGEST_DATE = len("31-12-1999")
# More l33t readings than a real word has; a crafted password can have millions.
_MOST_READINGS = 100
# What people put behind a word that must have a digit, most frequent first. Twenty at most: the
# last word of the list with the last number stays below the threshold.
_NUMBERS = (
    "123", "1", "12", "1234", "12345", "45", "01", "123456", "00", "99", "17", "88", "77", "2024",
    "2025", "2026", "1945", "2000",
)  # fmt: skip


def is_guessed_soon(password: str, own_words: Iterable[str]) -> bool:
    """Tell whether zxcvbn estimates fewer than `MIN_GUESSES` guesses for a password.

    Args:
        password: at least one character.
        own_words: what a guesser tries first, most likely first.

    """
    own = matching.build_ranked_dict([word.lower() for word in own_words])
    return _guesses(password, own) < MIN_GUESSES


def _guesses(password: str, own: Mapping[str, int]) -> Decimal:
    found: Iterator[Decimal] = (
        scoring.estimate_guesses(match, password)
        for match in _matches(password, own)
        if match["token"] == password
    )
    return min(found)


def _matches(password: str, own: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    yield {"pattern": "bruteforce", "token": password}
    yield from _words(password, own)
    yield from _repeats(password, own)
    yield from (walk for walk in matching.spatial_match(password) if walk["turns"] <= _MOST_TURNS)
    yield from matching.sequence_match(password)
    yield from matching.regex_match(password)
    if len(password) <= _LONGEST_DATE:
        yield from matching.date_match(password)


def _words(password: str, own: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    plain = password.lower()
    readings: list[tuple[str, bool, dict[str, str]]] = [(plain, False, {}), (plain[::-1], True, {})]
    disguises = matching.relevant_l33t_subtable(plain, matching.L33T_TABLE)
    if math.prod(len(characters) for characters in disguises.values()) <= _MOST_READINGS:
        readings += [
            (matching.translate(plain, letters), False, letters)
            for letters in matching.enumerate_l33t_subs(disguises)
        ]
    for word, backwards, letters in readings:
        rank = min(own.get(word, math.inf), _COMMON.get(word, math.inf))
        if rank < MIN_GUESSES:
            yield {
                "pattern": "dictionary",
                "token": password,
                "rank": rank,
                "reversed": backwards,
                "l33t": bool(letters),
                "sub": letters,
            }


def _repeats(password: str, own: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    # As zxcvbn looks for them: of the two repetitions that it finds first, the longer one.
    found = [re.search(pattern, password) for pattern in (r"(.+?)\1+", r"(.+)\1+")]
    whole = max((match[0] for match in found if match), key=len, default="")
    unit = re.fullmatch(r"(.+?)\1+", whole)
    if unit:
        yield {
            "pattern": "repeat",
            "token": whole,
            "base_guesses": _guesses(unit[1], own),
            "repeat_count": len(whole) / len(unit[1]),
        }


def _common_words() -> dict[str, int]:
    """The rank of every word below the threshold; the memory of the others is released."""
    ranks: dict[str, int] = {}
    for words in matching.RANKED_DICTIONARIES.values():
        for word, rank in words.items():
            if rank < min(MIN_GUESSES, ranks.get(word, MIN_GUESSES)):
                ranks[word] = rank
    matching.RANKED_DICTIONARIES.clear()
    frequency_lists.FREQUENCY_LISTS.clear()
    for word, rank in _indonesian():
        ranks[word] = min(rank, ranks.get(word, MIN_GUESSES))
    return ranks


def _indonesian() -> Iterator[tuple[str, int]]:
    """What Indonesians use, which zxcvbn's lists lack, each also with the usual numbers behind."""
    words = Path(__file__).with_name("indonesian.txt").read_text(encoding="ascii").split()
    for rank, word in enumerate(words, 1):
        yield word, rank
        for times, number in enumerate(_NUMBERS, 2):
            yield word + number, rank * times


_COMMON = _common_words()
