"""ISBN-10 and ISBN-13."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpustakaan import isbn


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("9789793062792", "9789793062792"),
        ("978-979-3062-79-2", "9789793062792"),
        ("979-3062-79-7", "9789793062792"),
        (" 979 3062 797 ", "9789793062792"),
        ("080442957X", "9780804429573"),
        ("0-8044-2957-x", "9780804429573"),
        ("979-10-90636-07-1", "9791090636071"),
        ("978\u2013979\u20133062\u201379\u20132", "9789793062792"),
    ],
)
def test_good_ones(text: str, normal: str) -> None:
    assert isbn.normalize(text) == normal


@given(st.sampled_from(["9789793062792", "9791090636071"]), st.integers(0, 12), st.integers(0, 9))
def test_one_wrong_digit_is_noticed(number: str, place: int, digit: int) -> None:
    changed = number[:place] + str(digit) + number[place + 1 :]
    assert (isbn.normalize(changed) is not None) is (changed == number)


@given(st.integers(0, 8), st.integers(0, 8))
def test_two_exchanged_digits_of_ten_are_noticed(one: int, other: int) -> None:
    digits = list("9793062797")
    digits[one], digits[other] = digits[other], digits[one]
    changed = "".join(digits)
    assert (isbn.normalize(changed) is not None) is (changed == "9793062797")


@given(st.text())
def test_whatever_it_is(text: str) -> None:
    found = isbn.normalize(text)
    assert found is None or (len(found) == 13 and isbn.normalize(found) == found)
