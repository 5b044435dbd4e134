"""Whatever runs in parallel, the copies add up: threads, several rounds, both databases."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest
from conftest import add_readers, assert_copies_add_up, book_fields, in_parallel, latest
from flask import Flask

from perpustakaan import books, lending, lists
from perpustakaan.lending import Place
from perpustakaan.models import Loan
from perpustakaan.problems import Conflict

ROUNDS = 3


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_50_borrowers_of_the_last_copy(rules: Flask, round_: int) -> None:
    book, readers = books.add(book_fields()), add_readers(50)
    found = in_parallel(rules, [partial(lending.borrow, book.id, each) for each in readers])
    assert Counter(map(type, found)) == {Loan: 1, Place: 49}, found
    places = [each for each in found if isinstance(each, Place)]
    assert sorted(each.position for each in places) == list(range(1, 50))
    # The waiting list is in the order of the positions that were answered.
    line = lists.list_line(book.id)
    answered = sorted(places, key=lambda place: place.position)
    assert [each.wait.id for each in line] == [each.wait.id for each in answered]
    assert latest(book.id).on_shelf == 0
    assert_copies_add_up()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_one_reader_who_borrows_10_times_at_once_has_one_copy(rules: Flask, round_: int) -> None:
    book, (mira,) = books.add(book_fields(copies=5)), add_readers(1)
    found = in_parallel(rules, [partial(lending.borrow, book.id, mira)] * 10)
    assert Counter(map(type, found)) == {Loan: 1, Conflict: 9}, found
    assert latest(book.id).lent == 1


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_returned_by_two_at_once(rules: Flask, round_: int) -> None:
    book, (a, b, c) = books.add(book_fields()), add_readers(3)
    loan, _, _ = (lending.borrow(book.id, each) for each in (a, b, c))
    assert isinstance(loan, Loan)
    found = in_parallel(rules, [partial(lending.give_back, loan.id)] * 2)
    assert Counter(map(type, found)) == {lending.Returned: 1, Conflict: 1}, found
    (refusal,) = (each for each in found if isinstance(each, Conflict))
    assert refusal.code == "already_returned"
    # The next on the waiting list got it once, and the one after still waits.
    assert [each.is_open for each in lists.list_loans(b)] == [True]
    assert lists.list_loans(c) == []
    assert [place.position for place in lists.list_places(c)] == [1]
    assert_copies_add_up()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_renewal_and_a_wait_at_once(rules: Flask, round_: int) -> None:
    book, (a, b) = books.add(book_fields()), add_readers(2)
    loan = lending.borrow(book.id, a)
    assert isinstance(loan, Loan)
    calls: list[Any] = [partial(lending.renew, loan.id), partial(lending.borrow, book.id, b)]
    renewed, place = in_parallel(rules, calls)
    assert isinstance(place, Place)
    # Either the renewal was first, or it is refused; afterwards it is refused in any case.
    if isinstance(renewed, Loan):
        assert renewed.renewals == 1
    else:
        assert isinstance(renewed, Conflict), renewed
        assert renewed.code == "somebody_waits"
    with pytest.raises(Conflict, match="somebody_waits"):
        lending.renew(loan.id)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_20_returns_and_20_borrowers_at_once(rules: Flask, round_: int) -> None:
    book, readers = books.add(book_fields(copies=20)), add_readers(40)
    loans = [lending.borrow(book.id, each) for each in readers[:20]]
    calls = [partial(lending.give_back, loan.id) for loan in loans if isinstance(loan, Loan)]
    borrow = [partial(lending.borrow, book.id, each) for each in readers[20:]]
    found = in_parallel(rules, [call for pair in zip(calls, borrow, strict=True) for call in pair])
    assert not [each for each in found if isinstance(each, Exception)], found
    # Every copy came back, and every one who came has one: at once or as the next who waited.
    assert latest(book.id).lent == 20
    assert lists.list_line(book.id) == []
    assert_copies_add_up()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_fewer_copies_and_a_borrower_at_once(rules: Flask, round_: int) -> None:
    book, (a,) = books.add(book_fields()), add_readers(1)
    change = partial(books.change, book.id, book_fields(copies=0))
    changed, borrowed = in_parallel(rules, [change, partial(lending.borrow, book.id, a)])
    assert isinstance(changed, Exception) is isinstance(borrowed, Loan)
    assert_copies_add_up()


def test_a_refusal_keeps_no_lock(rules: Flask) -> None:
    book, (a, b) = books.add(book_fields(copies=2)), add_readers(2)
    lending.borrow(book.id, a)
    with pytest.raises(Conflict):
        lending.borrow(book.id, a)
    # The session of this thread is still open.
    (found,) = in_parallel(rules, [partial(lending.borrow, book.id, b)])
    assert isinstance(found, Loan)
