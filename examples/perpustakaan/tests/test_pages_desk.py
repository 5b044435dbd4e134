"""The pages of librarians: lend, take back, overdue, the form of a book."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from conftest import Person, assert_copies_add_up, today
from flask import Flask
from person_browser import PersonBrowser
from test_pages import add, flash, heading, lend_out, set_loan

from perpustakaan import readers
from tests.support.servers import Server

GOOD = {
    "title": "Belenggu", "author": "Armijn Pane", "isbn": "", "year": "1940", "copies": "2",
    "shelf": "899.221 PAN b",
}  # fmt: skip


@pytest.fixture
def library(make_app: Callable[..., Flask], loguserapp: Server, library_url: str) -> Flask:
    return make_app(LOGUSERAPP_URL=loguserapp.url, APP_URL=library_url)


@pytest.fixture
def desk(library: Flask, make_person: Callable[..., Person]) -> PersonBrowser:
    """The browser of a librarian who is logged in."""
    person = make_person()
    browser = PersonBrowser(library)
    browser.log_in(person.username)
    with library.app_context():
        assert readers.set_librarian(person.username, is_librarian=True)
    browser.get("/desk")
    return browser


@pytest.fixture
def other(library: Flask, reader: Person) -> PersonBrowser:
    """The browser of a reader, whom the library knows."""
    browser = PersonBrowser(library)
    browser.log_in(reader.username)
    return browser


def note(page: str, field: str) -> str:
    """What stands beside a field that is wrong."""
    found = re.findall(rf'<p class="note error" id="{field}-note"><span>(.*?)</span>', page)
    return html.unescape(found[0]) if found else ""


def focused(page: str) -> str:
    """The field that has the cursor when the page opens."""
    (found,) = re.findall(r'<input id="([a-z]+)"[^>]*\bautofocus', page)
    return str(found)


def value(page: str, field: str) -> str:
    return html.unescape(re.findall(rf'name="{field}" value="([^"]*)"', page)[0])


@pytest.mark.parametrize("path", ["/desk", "/desk/books/new"])
def test_the_desk_is_for_librarians(other: PersonBrowser, path: str) -> None:
    assert other.get(path).status_code == 403
    assert 'href="/desk"' not in other.get("/").text


@pytest.mark.parametrize(
    "path", ["/desk/lend", "/desk/books/new", "/books/{0}/lend", "/desk/books/{0}/remove"]
)
def test_no_form_of_the_desk_works_for_a_reader(
    other: PersonBrowser, library: Flask, path: str
) -> None:
    book = add(library)
    assert other.post(path.format(book), **GOOD).status_code == 403
    assert other.get(f"/books/{book}").status_code == 200


@pytest.mark.parametrize("words", ["laskar  Pelàngi!", "9789793062792", "979-3062-79-7"])
def test_a_book_is_lent_by_username_and_title_or_isbn(
    desk: PersonBrowser, other: PersonBrowser, reader: Person, library: Flask, words: str
) -> None:
    add(library, isbn="9789793062792")
    add(library, title="Laskar Pelangi 2")
    said = flash(desk.follow(desk.post("/desk/lend", username=reader.username, book=words)).text)
    assert f"“Laskar Pelangi” is lent to {reader.username} until" in said
    assert "Laskar Pelangi" in other.get("/loans").text


@pytest.mark.parametrize("words", ["laskar", "hirata", "pelangi laskar"])
def test_the_only_book_with_a_word_is_not_lent_before_it_is_chosen(
    desk: PersonBrowser, other: PersonBrowser, reader: Person, library: Flask, words: str
) -> None:
    book = add(library)
    answer = desk.post("/desk/lend", username=reader.username, book=words)
    assert answer.status_code == 400
    assert "Press it to lend it" in note(answer.text, "book")
    assert f'name="book_id" value="{book}"' in answer.text
    assert "Laskar Pelangi" not in other.get("/loans").text
    chosen = desk.post("/desk/lend", username=reader.username, book=words, book_id=book)
    assert "is lent to" in flash(desk.follow(chosen).text)


def test_a_book_without_copies_is_not_offered_at_the_desk(
    desk: PersonBrowser, other: PersonBrowser, reader: Person, library: Flask
) -> None:
    book = add(library, copies=0)
    page = desk.get(f"/books/{book}").text
    assert "Nobody: the library has no copy." in page
    assert f"/books/{book}/lend" not in page
    answer = desk.post("/desk/lend", username=reader.username, book="Laskar Pelangi")
    assert note(answer.text, "book") == "The library has no copy of this book."
    assert "I am waiting for" not in other.get("/loans").text


def test_of_several_books_one_is_chosen(
    desk: PersonBrowser, other: PersonBrowser, reader: Person, library: Flask
) -> None:
    add(library)
    second = add(library, title="Sang Pemimpi")
    answer = desk.post("/desk/lend", username=reader.username, book="hirata")
    assert answer.status_code == 400
    assert "Several books match" in note(answer.text, "book")
    assert value(answer.text, "username") == reader.username
    assert f'name="book_id" value="{second}"' in answer.text
    chosen = desk.post("/desk/lend", username=reader.username, book="hirata", book_id=second)
    assert "Sang Pemimpi" in flash(desk.follow(chosen).text)
    assert "Sang Pemimpi" in other.get("/loans").text


@pytest.mark.parametrize(
    ("username", "words", "wrong"),
    [
        ("", "", {"username": "Enter the reader’s", "book": "Enter an ISBN"}),
        ("nobody-of-that-name", "laskar", {"username": "No reader has this username."}),
        ("nobody\x00", "zzz", {"username": "No reader", "book": "No book has these words"}),
        ("é", "a" * 201, {"username": "No reader", "book": "At most 200"}),
    ],
)
def test_each_field_of_lending_says_what_is_wrong_with_it(
    desk: PersonBrowser, library: Flask, username: str, words: str, wrong: dict[str, str]
) -> None:
    add(library)
    answer = desk.post("/desk/lend", username=username, book=words)
    assert answer.status_code == 400
    assert "<title>Error: Desk" in answer.text
    assert focused(answer.text) == next(iter(wrong))
    for field, said in wrong.items():
        assert said in note(answer.text, field)
    assert value(answer.text, "book") == words


def test_lending_a_book_twice_to_a_reader_says_so(
    desk: PersonBrowser, other: PersonBrowser, reader: Person, library: Flask
) -> None:
    book = add(library, copies=2)
    desk.get(f"/books/{book}")
    desk.post(f"/books/{book}/lend", username=reader.username)
    answer = desk.post(f"/books/{book}/lend", username=reader.username)
    assert answer.status_code == 400
    assert note(answer.text, "username") == "This reader has the book already."
    assert "<title>Error: Laskar Pelangi" in answer.text
    assert focused(answer.text) == "username"
    both = {"username": reader.username, "book": "Laskar Pelangi"}
    answer = desk.post("/desk/lend", **both)
    assert note(answer.text, "book") == "This reader has the book already."
    assert focused(answer.text) == "book"


def test_a_returned_book_goes_to_the_next_in_the_line(
    desk: PersonBrowser, other: PersonBrowser, reader: Person, library: Flask
) -> None:
    book = add(library)
    lend_out(library, book)
    other.get(f"/books/{book}")
    other.post(f"/books/{book}/borrow")
    page = desk.get(f"/books/{book}").text
    assert reader.username in page
    (take_back,) = re.findall(r'action="(/loans/\d+/return)"', page)
    answer = desk.post(take_back)
    assert answer.location == f"/books/{book}"
    said = flash(desk.follow(answer).text)
    assert "is back" in said
    assert f"it is now lent to {reader.username}" in said
    assert "You have this book until" in other.get(f"/books/{book}").text
    again = flash(desk.follow(desk.post(take_back)).text)
    assert again == "This book has been taken back already."
    with library.app_context():
        assert_copies_add_up()


def test_the_overdue_list_names_reader_and_fine(
    desk: PersonBrowser, other: PersonBrowser, reader: Person, library: Flask
) -> None:
    assert "No book is overdue." in desk.get("/desk").text
    book = add(library)
    other.post(f"/books/{book}/borrow")
    set_loan(library, due_on=today() - timedelta(days=5))
    page = desk.get("/desk").text
    assert f'href="/desk?username={reader.username}"' in page
    assert "5 days overdue" in page
    assert "Fine so far: Rp5,000" in page
    (take_back,) = re.findall(r'action="(/loans/\d+/return)"', page)
    assert "Fine: Rp5,000." in flash(desk.follow(desk.post(take_back)).text)


def test_the_loans_of_a_reader_are_found_by_username(
    desk: PersonBrowser, other: PersonBrowser, reader: Person, library: Flask
) -> None:
    other.post(f"/books/{add(library)}/borrow")
    page = desk.get(f"/desk?username={reader.username.upper()}").text
    assert f"Loans of {reader.username}" in page
    assert "Laskar Pelangi" in page
    unknown = desk.get("/desk?username=nobody-of-that-name").text
    assert "No reader has this username." in note(unknown, "who")
    assert "<title>Error: Desk" in unknown
    assert focused(unknown) == "who"


def test_a_book_is_added_changed_and_removed(desk: PersonBrowser) -> None:
    page = desk.follow(desk.post("/desk/books/new", **GOOD))
    assert flash(page.text) == "“Belenggu” is in the catalogue."
    assert "899.221 PAN b" in page.text
    (number,) = re.findall(r"/desk/books/(\d+)", page.text)
    form = desk.get(f"/desk/books/{number}").text
    assert {name: value(form, name) for name in GOOD} == GOOD
    changed = desk.post(f"/desk/books/{number}", **GOOD | {"title": "Belenggu (1940)"})
    assert "Belenggu (1940)" in desk.follow(changed).text
    removed = desk.follow(desk.post(f"/desk/books/{number}/remove")).text
    assert flash(removed) == "“Belenggu (1940)” is no longer in the catalogue."
    assert desk.get(f"/books/{number}").status_code == 404


def test_every_wrong_field_says_so_and_nothing_typed_is_lost(desk: PersonBrowser) -> None:
    wrong = {
        "title": " ", "author": "b" * 201, "isbn": "9789793062793", "year": "soon",
        "copies": "-1", "shelf": "c" * 41,
    }  # fmt: skip
    answer = desk.post("/desk/books/new", **wrong)
    assert answer.status_code == 400
    assert "6 things to change" in answer.text
    for field, typed in wrong.items():
        assert note(answer.text, field), field
        assert f'<a href="#{field}">' in answer.text
        assert value(answer.text, field) == typed


@pytest.mark.parametrize("language", ["en", "id"])
def test_an_isbn_that_another_book_has_is_named(
    desk: PersonBrowser, library: Flask, language: str
) -> None:
    add(library, isbn="9789793062792")
    desk.get(f"/desk/books/new?lang={language}")
    answer = desk.post("/desk/books/new", **GOOD | {"isbn": "979-3062-79-7"})
    assert answer.status_code == 409
    said = {"en": "Another book has this ISBN.", "id": "ISBN ini sudah dipakai buku lain."}
    assert note(answer.text, "isbn") == said[language]


def test_fewer_copies_than_are_lent_are_refused(desk: PersonBrowser, library: Flask) -> None:
    book = add(library, copies=2)
    lend_out(library, book)
    answer = desk.post(f"/desk/books/{book}", **GOOD | {"copies": "0"})
    assert answer.status_code == 400
    assert note(answer.text, "copies") == "At least 1: that many are lent."


def test_a_book_that_is_lent_is_not_removed(desk: PersonBrowser, library: Flask) -> None:
    book = add(library)
    lend_out(library, book)
    answer = desk.post(f"/desk/books/{book}/remove")
    assert "Take them back first." in flash(desk.follow(answer).text)


@pytest.mark.parametrize("path", ["/desk/books/new", "/desk/books/{0}"])
def test_a_form_that_is_out_of_date_keeps_what_was_typed(
    desk: PersonBrowser, library: Flask, path: str
) -> None:
    book = add(library)
    answer = desk.client.post(path.format(book), data=GOOD | {"csrf_token": "old"})
    assert answer.status_code == 400
    assert "nothing is saved yet" in answer.text
    assert value(answer.text, "title") == "Belenggu"
    assert heading(desk.get(f"/books/{book}").text) == "Laskar Pelangi"


def test_the_language_of_an_answer_to_a_form_leads_to_its_page(desk: PersonBrowser) -> None:
    page = desk.post("/desk/lend", username="", book="").text
    assert 'href="/desk?lang=id"' in page
