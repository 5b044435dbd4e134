"""Whatever a library lives through, copies = on the shelf + lent, as a model of it says."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
from conftest import add_readers, assert_copies_add_up, book_fields, migrate, settings_for
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from perpustakaan import books, create_app, lending, lists
from perpustakaan.database import db
from perpustakaan.days import day_of
from perpustakaan.lending import Place
from perpustakaan.models import Book, Loan
from perpustakaan.problems import Conflict, Invalid, NotFound

START = datetime(2026, 1, 1, 20, 0, 0)  # noqa: DTZ001 - as the tables keep it; in Jakarta the 2nd
BOOKS = st.integers(0, 1)
READERS = st.integers(0, 4)


class Shelf:
    """What the model knows of a book: who has it, until when, and who waits."""

    def __init__(self, copies: int) -> None:
        self.copies = copies
        self.loans: dict[int, tuple[int, date, int]] = {}  # reader: loan, due, renewals
        self.line: list[int] = []

    def serve(self, today: date) -> list[int]:
        served = []
        while self.line and len(self.loans) < self.copies:
            served.append(self.line.pop(0))
            self.loans[served[-1]] = (0, today + timedelta(days=14), 0)
        return served


class Lending(RuleBasedStateMachine):
    """Two books, five readers, some months."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(template(), self.folder / "library.db")
        self.app = create_app(settings_for(f"sqlite:///{self.folder / 'library.db'}"))
        self.context = self.app.app_context()
        self.context.push()
        with db.engine.connect() as connection:  # nothing cuts the power here
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
        self.now = START

    @initialize(copies=st.lists(st.integers(0, 3), min_size=2, max_size=2))
    def open(self, copies: list[int]) -> None:
        self.readers = add_readers(5)
        self.ids = [books.add(book_fields(title=f"Buku {n}", copies=n)).id for n in copies]
        self.shelves = [Shelf(count) for count in copies]
        self.returned: list[int] = []

    def teardown(self) -> None:
        db.session.remove()
        db.engine.dispose()
        self.context.pop()
        shutil.rmtree(self.folder)

    @rule(days=st.integers(1, 20))
    def days_pass(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(book=BOOKS, reader=READERS)
    def borrow(self, book: int, reader: int) -> None:
        shelf = self.shelves[book]
        try:
            found = lending.borrow(self.ids[book], self.readers[reader], self.now)
        except Conflict as conflict:
            expected = "already_lent" if reader in shelf.loans else "already_waiting"
            assert conflict.code == expected  # noqa: PT017
            assert reader in shelf.loans or reader in shelf.line
            return
        assert reader not in shelf.loans
        assert reader not in shelf.line
        if isinstance(found, Place):
            shelf.line.append(reader)
            assert found.position == len(shelf.line)
            assert len(shelf.loans) == shelf.copies
        else:
            assert len(shelf.loans) < shelf.copies
            shelf.loans[reader] = (found.id, found.due_on, 0)
            assert found.due_on == day_of(self.now) + timedelta(days=14)

    @rule(book=BOOKS, reader=READERS)
    def give_back(self, book: int, reader: int) -> None:
        shelf = self.shelves[book]
        if reader not in shelf.loans:
            return
        loan_id, due, _ = shelf.loans.pop(reader)
        done = lending.give_back(loan_id, self.now)
        assert done.loan.fine == max(0, (day_of(self.now) - due).days) * 1000
        self.returned.append(loan_id)
        served = shelf.serve(day_of(self.now))
        expected = [self.readers[each] for each in served]
        assert ([done.next_loan.reader_id] if done.next_loan else []) == expected
        self._learn(book, served)

    @precondition(lambda self: self.returned)
    @rule(data=st.data())
    def give_back_again(self, data: st.DataObject) -> None:
        loan_id = data.draw(st.sampled_from(self.returned))
        for call in (lending.give_back, lending.renew):
            try:
                call(loan_id, self.now)
            except Conflict as conflict:
                assert conflict.code == "already_returned"  # noqa: PT017
            else:
                raise AssertionError

    @rule(book=BOOKS, reader=READERS)
    def renew(self, book: int, reader: int) -> None:
        shelf = self.shelves[book]
        if reader not in shelf.loans:
            return
        loan_id, due, renewals = shelf.loans[reader]
        may = day_of(self.now) <= due and renewals < 2 and not shelf.line
        try:
            loan = lending.renew(loan_id, self.now)
        except Conflict:
            assert not may
        else:
            assert may
            assert loan.due_on == due + timedelta(days=14)
            shelf.loans[reader] = (loan_id, loan.due_on, renewals + 1)

    @rule(book=BOOKS, reader=READERS)
    def leave(self, book: int, reader: int) -> None:
        line = self.shelves[book].line
        try:
            lending.leave_line(self.ids[book], self.readers[reader])
        except NotFound:
            assert reader not in line
        else:
            line.remove(reader)

    @rule(book=BOOKS, copies=st.integers(0, 4))
    def change_copies(self, book: int, copies: int) -> None:
        shelf = self.shelves[book]
        try:
            books.change(self.ids[book], book_fields(title=f"Buku {book}", copies=copies))
        except Invalid as invalid:
            assert list(invalid.errors) == ["copies"]  # noqa: PT017
            assert copies < len(shelf.loans)
            return
        shelf.copies = copies
        self._learn(book, shelf.serve(day_of(self.now)))

    def _learn(self, book: int, served: list[int]) -> None:
        """Note the numbers and dates of the loans of those who were served."""
        for reader in served:
            (loan,) = lists.list_loans(self.readers[reader], is_open=True, limit=1)
            assert loan.book_id == self.ids[book]
            self.shelves[book].loans[reader] = (loan.id, loan.due_on, 0)

    @invariant()
    def copies_add_up(self) -> None:
        if not hasattr(self, "shelves"):
            return
        assert_copies_add_up()
        for number, shelf in zip(self.ids, self.shelves, strict=True):
            book = db.session.get_one(Book, number, populate_existing=True)
            assert (book.copies, book.lent) == (shelf.copies, len(shelf.loans))
            assert book.on_shelf + book.lent == book.copies
            open_loans = db.select(Loan.reader_id).where(Loan.is_open == db.true())
            having = set(db.session.scalars(open_loans.where(Loan.book_id == number)))
            assert having == {self.readers[each] for each in shelf.loans}
            line = [place.wait.reader_id for place in lists.list_line(number)]
            assert line == [self.readers[each] for each in shelf.line]


_template: list[Path] = []


def template() -> Path:
    """A migrated SQLite database, made once."""
    if not _template:
        folder = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, folder)
        _template.append(Path(folder) / "template.db")
        migrate(f"sqlite:///{_template[0]}")
    return _template[0]


TestLending = Lending.TestCase
TestLending.settings = settings(max_examples=60, stateful_step_count=40)
