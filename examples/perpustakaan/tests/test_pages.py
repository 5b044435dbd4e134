"""The pages of readers, in both languages and on both databases, with a real loguserapp."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from conftest import Person, add_readers, book_fields, today
from flask import Flask
from markupsafe import escape
from person_browser import PersonBrowser
from sqlalchemy import update

from perpustakaan import books, lending
from perpustakaan.database import db
from perpustakaan.models import Loan
from perpustakaan.pages.formats import full_date
from tests.support.servers import Server

HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'; DROP TABLE book; --",
    "=1+1", "{{ 7 * 7 }}", "100% %(title)s",
]  # fmt: skip
OPEN_PAGES = ["/", "/?q=laskar", "/?sort=year", "/?q=nothing-like-it", "/books/{book}", "/nothing"]
OWN_PAGES = ["/loans", "/books/{book}"]


@pytest.fixture
def library(make_app: Callable[..., Flask], loguserapp: Server, library_url: str) -> Flask:
    return make_app(LOGUSERAPP_URL=loguserapp.url, APP_URL=library_url)


@pytest.fixture
def book(library: Flask) -> int:
    return add(library)


@pytest.fixture
def mine(library: Flask, reader: Person) -> PersonBrowser:
    """The browser of a reader who is logged in."""
    browser = PersonBrowser(library)
    browser.log_in(reader.username)
    return browser


def add(app: Flask, **changed: object) -> int:
    with app.app_context():
        return books.add(book_fields(**changed)).id


def lend_out(app: Flask, book: int, waiting: int = 0) -> None:
    """Lend the only copy to somebody, and let others wait."""
    with app.app_context():
        for reader in add_readers(1 + waiting):
            lending.borrow(book, reader)


def set_loan(app: Flask, **values: object) -> None:
    """Change the newest loan, as time would."""
    with app.app_context():
        newest = db.session.query(db.func.max(Loan.id)).scalar()
        db.session.execute(update(Loan).where(Loan.id == newest).values(**values))
        db.session.commit()


def heading(page: str) -> str:
    return html.unescape(re.findall(r"<h1>(.*?)</h1>", page)[0])


def flash(page: str) -> str:
    return html.unescape(re.findall(r'<p class="flash[^>]*>(.*?)</p>', page)[0])


@pytest.mark.parametrize("language", ["en", "id"])
def test_every_page_is_in_the_language_asked_for(
    library: Flask, book: int, mine: PersonBrowser, language: str
) -> None:
    english = re.compile(r"\b(the|book|waiting|Log|Catalogue|Search)\b")
    indonesian = re.compile(r"\b(buku|Katalog|Cari|Masuk|hari)\b")
    for path in [*OPEN_PAGES, *OWN_PAGES]:
        page = mine.get(path.format(book=book) + ("&" if "?" in path else "?") + "lang=" + language)
        assert f'<html lang="{language}">' in page.text
        words = re.sub(r"<[^>]+>|&\w+;", " ", page.text.split("<body>")[1].split("<footer")[0])
        wanted, other = (english, indonesian)[:: 1 if language == "en" else -1]
        assert wanted.search(words), path
        assert not other.search(words), (path, other.search(words))


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("id", "id"), ("id-ID,en;q=0.5", "id"), ("en-GB,id;q=0.9", "en"), ("fr,id;q=0.3", "id"),
        ("fr", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_the_browser_names_the_language(library: Flask, header: str, language: str) -> None:
    assert f'<html lang="{language}">' in PersonBrowser(library, header).get("/").text


def test_the_language_link_keeps_the_page_and_is_remembered(library: Flask) -> None:
    browser = PersonBrowser(library)
    page = browser.get("/?q=pelangi&sort=year")
    assert 'href="?q=pelangi&amp;sort=year&amp;lang=id"' in page.text
    browser.get("/?q=pelangi&sort=year&lang=id")
    assert heading(browser.get("/").text) == "Cari buku"


def test_the_catalogue_shows_covers_and_what_is_on_the_shelf(library: Flask, book: int) -> None:
    lent = add(library, title="Belenggu", author="Armijn Pane")
    lend_out(library, lent)
    page = PersonBrowser(library).get("/").text
    assert f'src="/books/{book}/cover.svg?v=' in page
    assert "1 on the shelf" in page
    assert "All lent" in page


def test_search_finds_by_either_word_and_says_if_nothing_is_found(
    library: Flask, book: int
) -> None:
    browser = PersonBrowser(library)
    for words in ("pelangi", "LASKAR", "hirata laskar"):
        assert "Andrea Hirata" in browser.get(f"/?q={words}").text
    nothing = browser.get("/?q=belenggu")
    assert nothing.status_code == 200
    assert "No book has all these words" in nothing.text


def test_what_was_typed_stays_where_it_is_too_long(library: Flask) -> None:
    page = PersonBrowser(library).get(f"/?q={'a' * 201}")
    assert page.status_code == 400
    assert "a" * 201 in page.text
    assert 'aria-invalid="true"' in page.text


def test_the_next_page_is_reached_by_key(library: Flask) -> None:
    for number in range(30):
        add(library, title=f"Title {number:02}")
    browser = PersonBrowser(library)
    first = browser.get("/").text
    (after,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = browser.get(html.unescape(after)).text
    seen = [re.findall(r'class="title">([^<]+)<', page) for page in (first, second)]
    assert [len(titles) for titles in seen] == [24, 6]
    assert seen[0] + seen[1] == [f"Title {number:02}" for number in range(30)]
    assert "First page" in second


def test_an_empty_library_says_so(library: Flask) -> None:
    assert "The shelves are still empty" in PersonBrowser(library).get("/").text


def test_a_visitor_is_led_to_the_login_and_back_to_the_book(library: Flask, book: int) -> None:
    page = PersonBrowser(library).get(f"/books/{book}").text
    assert f'href="/login?next=/books/{book}">Log in to borrow' in page
    assert "/borrow" not in page


@pytest.mark.parametrize(("language", "said"), [("en", "is yours until"), ("id", "Anda pinjam")])
def test_borrowing_says_until_when(
    library: Flask, book: int, reader: Person, language: str, said: str
) -> None:
    browser = PersonBrowser(library, language)
    browser.follow(browser.log_in(reader.username, f"/books/{book}"))
    page = browser.follow(browser.post(f"/books/{book}/borrow")).text
    assert said in flash(page)
    with library.test_request_context(headers={"Accept-Language": language}):
        until = full_date(today() + timedelta(days=14))
    assert until in flash(page)
    assert until in browser.get("/loans").text


def test_a_second_press_on_borrow_is_harmless(
    mine: PersonBrowser, library: Flask, book: int
) -> None:
    mine.get(f"/books/{book}")
    mine.post(f"/books/{book}/borrow")
    page = mine.follow(mine.post(f"/books/{book}/borrow")).text
    assert flash(page) == "You have this book already."


def test_with_no_copy_left_a_reader_joins_and_leaves_the_line(
    mine: PersonBrowser, library: Flask, book: int
) -> None:
    lend_out(library, book, waiting=2)
    assert "You would be number 3." in mine.get(f"/books/{book}").text
    page = mine.follow(mine.post(f"/books/{book}/borrow")).text
    assert "You are number 3 on the waiting list." in flash(page)
    assert "Number 3 on the waiting list" in mine.get("/loans").text
    page = mine.follow(mine.post(f"/books/{book}/leave")).text
    assert flash(page) == "You no longer wait for this book."
    page = mine.follow(mine.post(f"/books/{book}/leave")).text
    assert flash(page) == "You are not on the waiting list for this book."


def test_a_book_without_copies_cannot_be_borrowed(mine: PersonBrowser, library: Flask) -> None:
    none = add(library, copies=0)
    for browser in (mine, PersonBrowser(library)):
        page = browser.get(f"/books/{none}").text
        assert "The library has no copy of this book." in page
        assert f"/books/{none}/borrow" not in page
        assert "to join the" not in page


def test_my_loans_are_empty_at_first(mine: PersonBrowser) -> None:
    assert "You have no book at the moment" in mine.get("/loans").text


def test_a_loan_is_renewed_twice_and_then_says_why_not(
    mine: PersonBrowser, library: Flask, book: int
) -> None:
    mine.post(f"/books/{book}/borrow")
    (renew,) = re.findall(r'action="(/loans/\d+/renew)"', mine.get("/loans").text)
    for _ in range(2):
        assert "is yours until" in flash(mine.follow(mine.post(renew)).text)
    page = mine.get("/loans").text
    assert "Renewed twice already" in page
    assert "/renew" not in page
    assert "Renewed twice already" in flash(mine.follow(mine.post(renew)).text)


def test_a_loan_that_another_waits_for_says_so(
    mine: PersonBrowser, library: Flask, book: int
) -> None:
    mine.post(f"/books/{book}/borrow")
    lend_out(library, book)
    page = mine.get("/loans").text
    assert "another reader is waiting" in page
    assert "/renew" not in page


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", ("3 days overdue", "Rp3,000")), ("id", ("terlambat 3 hari", "Rp3.000"))],
)
def test_an_overdue_loan_shows_the_days_and_the_fine(
    mine: PersonBrowser, library: Flask, book: int, language: str, said: tuple[str, str]
) -> None:
    mine.post(f"/books/{book}/borrow")
    set_loan(library, due_on=today() - timedelta(days=3))
    page = mine.get(f"/loans?lang={language}").text
    assert all(words in page for words in said)
    assert "/renew" not in page


def test_a_returned_book_is_listed_with_its_fine(
    mine: PersonBrowser, library: Flask, book: int
) -> None:
    mine.post(f"/books/{book}/borrow")
    set_loan(library, due_on=today() - timedelta(days=2))
    with library.app_context():
        loan = db.session.query(db.func.max(Loan.id)).scalar()
        lending.give_back(loan)
        books.remove(book)
    page = mine.get("/loans").text
    assert "Returned on" in page
    assert "Fine: Rp2,000" in page
    assert "Laskar Pelangi" in page
    assert f'href="/books/{book}"' not in page


def test_the_loan_of_another_reader_is_not_there(
    mine: PersonBrowser, library: Flask, book: int
) -> None:
    lend_out(library, book)
    with library.app_context():
        loan = db.session.query(db.func.max(Loan.id)).scalar()
    assert mine.post(f"/loans/{loan}/renew").status_code == 404


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_sql_and_formulas_in_a_title_stay_text(
    mine: PersonBrowser, library: Flask, text: str
) -> None:
    book = add(library, title=text, author=text)
    mine.get(f"/books/{book}")
    answer = mine.post(f"/books/{book}/borrow")
    for page in (mine.follow(answer).text, mine.get("/").text, mine.get("/loans").text):
        assert str(escape(text)) in page
        assert "<script" not in page
        assert "<img src=x" not in page


def test_a_search_for_markup_stays_text(library: Flask) -> None:
    page = PersonBrowser(library).get("/?q=<script>alert(1)</script>").text
    assert "<script" not in page


def test_a_cover_is_kept_by_browsers_and_changes_with_the_title(library: Flask, book: int) -> None:
    client = library.test_client()
    (address,) = re.findall(r'src="(/books/\d+/cover.svg[^"]+)"', client.get("/").text)
    answer = client.get(address)
    assert answer.mimetype == "image/svg+xml"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "Cookie" not in answer.headers.get("Vary", "")
    etag = answer.headers["ETag"]
    assert client.get(address, headers={"If-None-Match": etag}).status_code == 304
    with library.app_context():
        books.change(book, book_fields(title="Sang Pemimpi"))
    assert address not in client.get("/").text
    assert client.get(address).headers["ETag"] != etag
    assert "immutable" not in client.get(address).headers["Cache-Control"]


def test_pages_are_not_kept_and_run_no_script(mine: PersonBrowser, book: int) -> None:
    for path in ("/", "/loans", f"/books/{book}", "/nothing"):
        answer = mine.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "<script" not in answer.text
        assert "style=" not in answer.text


def test_a_form_that_is_out_of_date_leads_back_to_its_page(
    mine: PersonBrowser, book: int, library_url: str
) -> None:
    answer = mine.client.post(
        f"/books/{book}/borrow",
        data={"csrf_token": "old"},
        headers={"Referer": f"{library_url}/books/{book}"},
    )
    assert answer.status_code == 400
    assert heading(answer.text) == "This form was out of date"
    assert f'href="/books/{book}">Back to the page' in answer.text


def test_a_form_of_a_person_who_is_logged_out_leads_to_the_login_and_back(
    library: Flask, book: int, mine: PersonBrowser
) -> None:
    mine.get(f"/books/{book}")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', mine.get(mine.page).text)[0]
    for name in ("perpustakaan_access", "perpustakaan_refresh"):
        mine.client.delete_cookie(name)
    answer = mine.client.post(
        f"/books/{book}/borrow",
        data={"csrf_token": token},
        headers={"Referer": f"{mine.url}/books/{book}"},
    )
    assert (answer.status_code, answer.location) == (303, f"/login?next=/books/{book}")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nothing", 404, "There is no such page"),
        ("/books/999999", 404, "There is no such page"),
        ("/books/99999999999999999999", 404, "There is no such page"),
        ("/books/abc", 404, "There is no such page"),
        ("/desk", 403, "This is for librarians"),
        ("/?after=zzz", 400, "That did not work"),
        ("/?sort=colour", 400, "That did not work"),
        ("/books/1/borrow", 405, "This page cannot be opened directly"),
    ],
)
def test_error_pages_say_what_to_do_next(
    mine: PersonBrowser, path: str, status: int, said: str
) -> None:
    answer = mine.get(path)
    assert answer.status_code == status
    assert heading(answer.text) == said
    assert '<a class="button primary" href="/">Go to the catalogue' in answer.text
    assert ("ask the people who run this library" in answer.text) is (status == 403)


def test_a_bug_is_a_page_without_its_message(
    library: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(library.view_functions, "pages.list_books", lambda: 1 / 0)
    answer = PersonBrowser(library).get("/")
    assert answer.status_code == 500
    assert heading(answer.text) == "Something broke on our side"
    assert "ZeroDivision" not in answer.text


def test_without_the_database_a_page_says_so(
    make_app: Callable[..., Flask], mine: PersonBrowser
) -> None:
    away = make_app(DATABASE_URL="mysql://nobody@127.0.0.1:9/nothing", APP_URL=mine.url)
    answer = PersonBrowser(away).get("/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert heading(answer.text) == "The library cannot answer at the moment"
    assert 'href="/">Try again' in answer.text
