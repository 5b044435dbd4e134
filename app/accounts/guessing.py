"""Passwords that a guesser finds soon, by zxcvbn's count but without its search.

zxcvbn looks for the cheapest way to put a password together from parts, which takes seconds for
a crafted one. It counts 10,000 guesses for every part after the first, though; so whoever asks
for no more than these needs to look only at what matches the password from end to end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from zxcvbn import frequency_lists, matching, scoring

MIN_GUESSES = 10_000
# What is left out because it never comes to so few guesses, but would take its time: walks over
# the keyboard with more turns, and longer dates than there are.
_MOST_TURNS = 3
_LONGEST_DATE = len("31-12-1999")
# Nobody writes a word in digits and signs that can be read in more ways; crafted ones can.
_MOST_READINGS = 100


def is_guessed_soon(password: str, own_words: Iterable[str]) -> bool:
    """Tell whether zxcvbn finds a password in fewer than `MIN_GUESSES` guesses.

    Args:
        password: at least one character.
        own_words: what a guesser tries first, the likeliest in front.

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
    """The rank of every word that can matter here; the others give their memory back."""
    ranks: dict[str, int] = {}
    for words in matching.RANKED_DICTIONARIES.values():
        for word, rank in words.items():
            if rank < min(MIN_GUESSES, ranks.get(word, MIN_GUESSES)):
                ranks[word] = rank
    matching.RANKED_DICTIONARIES.clear()
    frequency_lists.FREQUENCY_LISTS.clear()
    return ranks


_COMMON = _common_words()
