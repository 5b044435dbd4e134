"""The rules of lending, one after another, on both databases."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from conftest import add_readers, assert_copies_add_up, book_fields, latest
from flask import Flask

from perpustakaan import books, days, lending, lists
from perpustakaan.lending import Place
from perpustakaan.models import Loan
from perpustakaan.pages import formats
from perpustakaan.problems import Conflict, NotFound

pytestmark = pytest.mark.usefixtures("rules")
NOON = datetime(2026, 3, 2, 12, 0, 0)  # noqa: DTZ001 - as the tables keep it


def refused(code: str) -> pytest.RaisesExc[Conflict]:
    return pytest.RaisesExc(Conflict, match=f"^{code}$")


def lend(book_id: int, reader_id: int, now: datetime = NOON) -> Loan:
    loan = lending.borrow(book_id, reader_id, now)
    assert isinstance(loan, Loan)
    return loan


def wait(book_id: int, reader_id: int) -> int:
    place = lending.borrow(book_id, reader_id, NOON)
    assert isinstance(place, Place)
    return place.position


def test_a_loan_is_for_14_days() -> None:
    book, (mira,) = books.add(book_fields(copies=2)), add_readers(1)
    loan = lend(book.id, mira)
    assert (loan.due_on - NOON.date()).days == 14
    assert (loan.renewals, loan.fine, loan.returned_at) == (0, 0, None)
    assert latest(book.id).on_shelf == 1
    assert_copies_add_up()


def test_who_has_the_book_cannot_borrow_it_twice() -> None:
    book, (mira,) = books.add(book_fields(copies=2)), add_readers(1)
    lend(book.id, mira)
    with refused("already_lent"):
        lending.borrow(book.id, mira)
    assert latest(book.id).lent == 1


def test_without_a_copy_on_the_shelf_readers_wait_in_order() -> None:
    book, (a, b, c) = books.add(book_fields()), add_readers(3)
    lend(book.id, a)
    assert [wait(book.id, b), wait(book.id, c)] == [1, 2]
    with refused("already_waiting"):
        lending.borrow(book.id, c)
    with refused("already_lent"):
        lending.borrow(book.id, a)
    assert_copies_add_up()


def test_the_next_in_line_gets_what_is_returned() -> None:
    book, (a, b, c) = books.add(book_fields()), add_readers(3)
    first = lend(book.id, a)
    wait(book.id, b)
    wait(book.id, c)
    later = NOON + timedelta(days=3)
    done = lending.give_back(first.id, later)
    assert done.loan.returned_at == later
    assert done.next_loan is not None
    assert (done.next_loan.reader_id, done.next_loan.borrowed_at) == (b, later)
    assert (done.next_loan.due_on - later.date()).days == 14
    assert [place.wait.reader_id for place in lists.list_line(book.id)] == [c]
    assert latest(book.id).on_shelf == 0
    assert_copies_add_up()


def test_a_book_goes_to_the_shelf_where_nobody_waits_and_can_be_borrowed_again() -> None:
    book, (mira,) = books.add(book_fields()), add_readers(1)
    for _ in range(3):
        assert lending.give_back(lend(book.id, mira).id, NOON).next_loan is None
        assert latest(book.id).on_shelf == 1
    assert_copies_add_up()


def test_a_book_cannot_be_returned_twice() -> None:
    book, (a, b) = books.add(book_fields()), add_readers(2)
    loan = lend(book.id, a)
    wait(book.id, b)
    lending.give_back(loan.id, NOON)
    with refused("already_returned"):
        lending.give_back(loan.id, NOON)
    with refused("already_returned"):
        lending.renew(loan.id, NOON)
    assert latest(book.id).lent == 1
    assert_copies_add_up()


@pytest.mark.parametrize(("days", "fine"), [(0, 0), (14, 0), (15, 1000), (16, 2000), (44, 30_000)])
def test_each_begun_day_overdue_costs_1000_rupiah(days: int, fine: int) -> None:
    book, (mira,) = books.add(book_fields()), add_readers(1)
    loan = lend(book.id, mira)
    day = NOON.date() + timedelta(days=days)
    assert lending.fine_of(loan, day) == fine
    assert lending.is_overdue(loan, day) is (fine > 0)
    # Even if it is brought back at the first second of the day, which is 17:00 UTC in Jakarta.
    at = datetime.combine(day, datetime.min.time()) - timedelta(hours=7)
    assert lending.give_back(loan.id, max(at, NOON)).loan.fine == fine
    later = lists.list_loans(mira)[0]
    assert lending.fine_of(later, day + timedelta(days=90)) == fine
    assert not lending.is_overdue(later, day + timedelta(days=90))


def test_the_day_is_that_of_the_librarys_zone(rules: Flask) -> None:
    book, (mira,) = books.add(book_fields()), add_readers(1)
    evening = datetime(2026, 3, 2, 23, 30, 0)  # noqa: DTZ001 - as the tables keep it
    assert days.day_of(evening) == date(2026, 3, 3)
    loan = lend(book.id, mira, evening)
    assert (loan.borrowed_at, loan.due_on) == (evening, date(2026, 3, 17))
    with rules.test_request_context():
        assert formats.day(evening) == "March 3, 2026"
    # In Jakarta the 18th begins an hour before this.
    late = datetime(2026, 3, 17, 18, 0, 0)  # noqa: DTZ001 - as the tables keep it
    with refused("overdue"):
        lending.renew(loan.id, late)
    rules.config["TIMEZONE"] = ZoneInfo("UTC")
    assert lending.give_back(loan.id, late).loan.fine == 0
    assert lend(book.id, mira, evening).due_on == date(2026, 3, 16)


def test_two_renewals_of_14_days_and_no_third() -> None:
    book, (mira,) = books.add(book_fields()), add_readers(1)
    loan = lend(book.id, mira)
    due = loan.due_on
    for count in (1, 2):
        loan = lending.renew(loan.id, NOON)
        assert (loan.renewals, (loan.due_on - due).days) == (count, 14 * count)
    with refused("renewals_used"):
        lending.renew(loan.id, NOON)


def test_no_renewal_while_another_reader_waits() -> None:
    book, (a, b) = books.add(book_fields()), add_readers(2)
    loan = lend(book.id, a)
    wait(book.id, b)
    with refused("somebody_waits"):
        lending.renew(loan.id, NOON)
    lending.leave_line(book.id, b)
    assert lending.renew(loan.id, NOON).renewals == 1


def test_a_renewal_cannot_make_a_fine_disappear() -> None:
    book, (mira,) = books.add(book_fields()), add_readers(1)
    loan = lend(book.id, mira)
    with refused("overdue"):
        lending.renew(loan.id, NOON + timedelta(days=15))
    assert lending.renew(loan.id, NOON + timedelta(days=14)).renewals == 1


def test_leaving_the_line_moves_the_others_up() -> None:
    book, (a, b, c) = books.add(book_fields()), add_readers(3)
    lend(book.id, a)
    wait(book.id, b)
    wait(book.id, c)
    lending.leave_line(book.id, b)
    assert [place.position for place in lists.list_places(c)] == [1]
    for reader in (a, b):
        with pytest.raises(NotFound):
            lending.leave_line(book.id, reader)


@pytest.mark.parametrize("call", [lending.give_back, lending.renew])
def test_unknown_numbers_are_not_found(call: object) -> None:
    assert callable(call)
    with pytest.raises(NotFound):
        call(4711)
    with pytest.raises(NotFound):
        lending.borrow(4711, add_readers(1)[0])
    with pytest.raises(NotFound):
        lending.leave_line(4711, 1)


def test_what_is_overdue_is_listed(rules: Flask) -> None:
    (a, b) = add_readers(2)
    late, soon = (books.add(book_fields(title=title)) for title in ("Terlambat", "Belum"))
    lend(late.id, a, NOON - timedelta(days=20))
    lend(soon.id, a, NOON)
    returned = lend(soon.id, b, NOON - timedelta(days=90)) if latest(soon.id).on_shelf else None
    assert returned is None
    due = NOON.date() - timedelta(days=6)
    assert lists.list_loans(overdue=True, today=due) == []
    assert len(lists.list_loans(overdue=True, today=due + timedelta(days=1))) == 1
    found = lists.list_loans(overdue=True, today=NOON.date())
    assert [loan.book.title for loan in found] == ["Terlambat"]
    assert [loan.book.title for loan in lists.list_loans(a)] == ["Belum", "Terlambat"]
    assert lists.list_loans(b) == []
