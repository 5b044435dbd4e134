"""The API with real tokens of a real loguserapp: who may do what, and what the answers are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from conftest import Person, book_fields, today
from flask import Flask
from flask.testing import FlaskClient

from perpustakaan import loguserapp
from perpustakaan.database import db
from perpustakaan.models import Loan
from perpustakaan.problems import _TOKEN_DETAILS

MakePerson = Callable[..., Person]
NO_LOANS: dict[str, Any] = {"loans": [], "next": None}


def add_book(client: FlaskClient, librarian: Person, **changed: Any) -> dict[str, Any]:
    sent = book_fields(**changed)
    answer = client.post("/api/books", json=sent, headers=librarian.bearer)
    assert answer.status_code == 201, answer.text
    book: dict[str, Any] = answer.get_json()
    return book


def borrow(client: FlaskClient, person: Person, book_id: int, **fields: str) -> dict[str, Any]:
    address = f"/api/books/{book_id}/loans"
    answer = client.post(address, data=fields, headers=person.bearer)
    assert answer.status_code == 201, answer.text
    loan: dict[str, Any] = answer.get_json()
    return loan


def code_of(answer: Any) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json", answer.text
    document = answer.get_json()
    assert document["status"] == answer.status_code
    assert set(document) <= {"type", "title", "status", "detail", "code", "errors"}
    return answer.status_code, document["code"]


def test_a_book_from_its_addition_to_its_removal(client: FlaskClient, librarian: Person) -> None:
    fields = {"isbn": "979-3062-79-7", "year": "2005", "shelf": "A1", "copies": "3"}
    sent = book_fields(**fields)
    made = client.post("/api/books", data=sent, headers=librarian.bearer)
    assert made.status_code == 201
    book = made.get_json()
    assert made.headers["Location"] == f"/api/books/{book['id']}"
    assert {**book, "added_at": ""} == {
        "id": book["id"], "title": "Laskar Pelangi", "author": "Andrea Hirata",
        "isbn": "9789793062792", "year": 2005, "copies": 3, "on_shelf": 3, "lent": 0,
        "shelf": "A1", "added_at": "",
    }  # fmt: skip
    address = f"/api/books/{book['id']}"
    assert client.get(address).get_json() == book
    changed = book_fields(title="Sang Pemimpi", copies=2)
    answer = client.put(address, json=changed, headers=librarian.bearer)
    assert answer.status_code == 200
    after = answer.get_json()
    assert (after["title"], after["copies"], after["isbn"], after["shelf"]) == (
        "Sang Pemimpi", 2, None, "",
    )  # fmt: skip
    assert client.get("/api/books?q=pemimpi").get_json()["books"] == [after]
    assert client.get("/api/books?q=laskar").get_json()["books"] == []
    assert client.delete(address, headers=librarian.bearer).status_code == 204
    assert code_of(client.get(address)) == (404, "not_found")
    assert code_of(client.delete(address, headers=librarian.bearer)) == (404, "not_found")
    assert client.get("/api/books").get_json() == {"books": [], "next": None}


def test_borrow_renew_wait_and_return(
    client: FlaskClient, librarian: Person, reader: Person, make_person: MakePerson
) -> None:
    book, other = add_book(client, librarian), make_person()
    address = f"/api/books/{book['id']}"
    loan = borrow(client, reader, book["id"])
    assert loan["username"] == reader.username
    assert loan["due_on"] == (today() + timedelta(days=14)).isoformat()
    assert client.get(f"/api/loans/{loan['id']}", headers=reader.bearer).get_json() == loan
    again = client.post(f"{address}/loans", headers=reader.bearer)
    assert code_of(again) == (409, "already_lent")

    renewed = client.post(f"/api/loans/{loan['id']}/renew", headers=reader.bearer)
    assert (renewed.status_code, renewed.get_json()["renewals"]) == (200, 1)

    waiting = client.post(f"{address}/loans", headers=other.bearer)
    assert waiting.status_code == 202
    assert (waiting.get_json()["position"], waiting.get_json()["username"]) == (1, other.username)
    refused = client.post(f"/api/loans/{loan['id']}/renew", headers=reader.bearer)
    assert code_of(refused) == (409, "somebody_waits")
    me = client.get("/api/me", headers=other.bearer).get_json()
    assert (me["loans"], [wait["position"] for wait in me["waits"]]) == ([], [1])

    returned = client.post(f"/api/loans/{loan['id']}/return", headers=librarian.bearer)
    assert (returned.status_code, returned.get_json()["fine"]) == (200, 0)
    twice = client.post(f"/api/loans/{loan['id']}/return", headers=librarian.bearer)
    assert code_of(twice) == (409, "already_returned")
    me = client.get("/api/me", headers=other.bearer).get_json()
    assert [loan["book"]["title"] for loan in me["loans"]] == ["Laskar Pelangi"]
    assert me["waits"] == []


def test_a_reader_cannot_say_that_a_book_is_back(
    client: FlaskClient, librarian: Person, reader: Person
) -> None:
    book = add_book(client, librarian)
    loan = borrow(client, reader, book["id"])
    address = f"/api/loans/{loan['id']}/return"
    assert code_of(client.post(address, headers=reader.bearer)) == (403, "forbidden")
    assert client.get(f"/api/books/{book['id']}").get_json()["on_shelf"] == 0
    done = client.post(address, headers=librarian.bearer)
    assert done.get_json()["returned_at"]
    assert code_of(client.post(address, headers=reader.bearer)) == (403, "forbidden")


def test_leaving_the_line(client: FlaskClient, librarian: Person, reader: Person) -> None:
    book = add_book(client, librarian)
    borrow(client, librarian, book["id"])
    address = f"/api/books/{book['id']}"
    assert client.post(f"{address}/loans", headers=reader.bearer).status_code == 202
    assert client.delete(f"{address}/wait", headers=reader.bearer).status_code == 204
    gone = client.delete(f"{address}/wait", headers=reader.bearer)
    assert code_of(gone) == (404, "not_found")


def test_a_librarian_lends_and_takes_back_by_username(
    client: FlaskClient, librarian: Person, reader: Person
) -> None:
    client.get("/api/me", headers=reader.bearer)  # the reader's first visit
    book = add_book(client, librarian)
    loan = borrow(client, librarian, book["id"], username=reader.username.upper())
    assert loan["username"] == reader.username
    address = f"/api/loans?username={reader.username}"
    listed = client.get(address, headers=librarian.bearer).get_json()
    assert [each["id"] for each in listed["loans"]] == [loan["id"]]
    assert client.get("/api/loans", headers=librarian.bearer).get_json() == NO_LOANS
    returned = client.post(f"/api/loans/{loan['id']}/return", headers=librarian.bearer)
    assert returned.status_code == 200


def test_what_is_overdue_is_a_librarians_list(
    app: Flask,
    client: FlaskClient,
    librarian: Person,
    reader: Person,
    make_person: MakePerson,
) -> None:
    book = add_book(client, librarian)
    loan = borrow(client, reader, book["id"])
    with app.app_context():
        kept = db.session.get_one(Loan, loan["id"])
        kept.due_on = today() - timedelta(days=3)
        db.session.commit()
    (found,) = client.get("/api/loans?overdue=1", headers=librarian.bearer).get_json()["loans"]
    assert (found["id"], found["is_overdue"], found["fine"]) == (loan["id"], True, 3000)
    (own,) = client.get("/api/loans?overdue=1", headers=reader.bearer).get_json()["loans"]
    assert own == found
    other = make_person().bearer
    assert client.get("/api/loans?overdue=1", headers=other).get_json() == NO_LOANS
    refused = client.post(f"/api/loans/{loan['id']}/renew", headers=reader.bearer)
    assert code_of(refused) == (409, "overdue")
    returned = client.post(f"/api/loans/{loan['id']}/return", headers=librarian.bearer)
    assert returned.get_json()["fine"] == 3000
    assert client.get("/api/loans?overdue=1", headers=librarian.bearer).get_json() == NO_LOANS


def test_loans_by_page(client: FlaskClient, librarian: Person, reader: Person) -> None:
    ids = [
        borrow(client, reader, add_book(client, librarian, title=f"Buku {n}")["id"])["id"]
        for n in range(3)
    ]
    first = client.get("/api/loans?limit=2", headers=reader.bearer).get_json()
    address = f"/api/loans?limit=2&after={first['next']}"
    rest = client.get(address, headers=reader.bearer).get_json()
    assert [loan["id"] for loan in first["loans"] + rest["loans"]] == ids[::-1]
    assert (len(first["loans"]), rest["next"]) == (2, None)
    whole = client.get("/api/loans?limit=3", headers=reader.bearer).get_json()
    assert (len(whole["loans"]), whole["next"]) == (3, None)


def test_anothers_loan_is_not_found(
    client: FlaskClient, librarian: Person, reader: Person, make_person: MakePerson
) -> None:
    loan = borrow(client, reader, add_book(client, librarian)["id"])
    other = make_person().bearer
    for method, path in [("GET", ""), ("POST", "/return"), ("POST", "/renew")]:
        answer = client.open(f"/api/loans/{loan['id']}{path}", method=method, headers=other)
        assert code_of(answer) == (404, "not_found")
    assert client.get("/api/loans", headers=other).get_json() == NO_LOANS
    seen = client.get(f"/api/loans/{loan['id']}", headers=librarian.bearer)
    assert seen.status_code == 200


NEEDS_LIBRARIAN = [
    ("POST", "/api/books", {"title": ""}),
    ("PUT", "/api/books/1", {"title": ""}),
    ("PUT", "/api/books/999", {}),
    ("DELETE", "/api/books/1", {}),
    ("POST", "/api/books/1/loans", {"username": "somebody"}),
    ("GET", "/api/loans?username=somebody", {}),
]
NEEDS_READER: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/api/me", {}),
    ("POST", "/api/books/1/loans", {}),
    ("DELETE", "/api/books/1/wait", {}),
    ("GET", "/api/loans", {}),
    ("GET", "/api/loans/1", {}),
    ("POST", "/api/loans/1/return", {}),
    ("POST", "/api/loans/1/renew", {}),
]


@pytest.mark.parametrize(("method", "path", "fields"), NEEDS_LIBRARIAN)
def test_readers_may_not_do_a_librarians_work(
    client: FlaskClient, reader: Person, method: str, path: str, fields: dict[str, str]
) -> None:
    answer = client.open(path, method=method, data=fields, headers=reader.bearer)
    assert code_of(answer) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path", "fields"), NEEDS_READER + NEEDS_LIBRARIAN)
@pytest.mark.parametrize(
    ("header", "code", "challenge"),
    [
        ("", "token_missing", "Bearer"),
        ("Basic YTpi", "token_missing", "Bearer"),
        ("Bearer ", "token_invalid", 'Bearer error="invalid_token"'),
        ("Bearer a.b.c", "token_invalid", 'Bearer error="invalid_token"'),
    ],
)
def test_no_token_no_answer(
    client: FlaskClient,
    method: str,
    path: str,
    fields: dict[str, str],
    header: str,
    code: str,
    challenge: str,
) -> None:
    headers = {"Authorization": header} if header else {}
    answer = client.open(path, method=method, data=fields, headers=headers)
    assert code_of(answer) == (401, code)
    assert answer.headers["WWW-Authenticate"] == challenge


def test_a_refresh_token_and_a_cookie_are_no_access_tokens(
    client: FlaskClient, reader: Person
) -> None:
    headers = {"Authorization": f"Bearer {reader.refresh}"}
    assert code_of(client.get("/api/me", headers=headers)) == (401, "token_invalid")
    client.set_cookie("perpustakaan_access", reader.access)
    assert code_of(client.get("/api/me")) == (401, "token_missing")


def test_first_sight_keeps_the_name(client: FlaskClient, reader: Person) -> None:
    me = client.get("/api/me", headers=reader.bearer).get_json()
    assert me == {
        "username": reader.username, "is_librarian": False, "loans": [], "waits": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/api/books/4711", "/api/books/0", "/api/books/abc", "/api/books/-1",
        "/api/books/99999999999999999999", "/api/books/1.5", "/api/books/007", "/api/nothing",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_unknown_addresses(client: FlaskClient, librarian: Person, path: str, method: str) -> None:
    sent = {"headers": librarian.bearer} | ({"json": book_fields()} if method == "PUT" else {})
    assert code_of(client.open(path, method=method, **sent)) == (404, "not_found")


@pytest.mark.parametrize("number", ["4711", "0", "99999999999999999999"])
def test_unknown_loans_and_books_of_a_reader(
    client: FlaskClient, reader: Person, number: str
) -> None:
    for method, path in [
        ("GET", f"/api/loans/{number}"),
        ("POST", f"/api/loans/{number}/return"),
        ("POST", f"/api/loans/{number}/renew"),
        ("POST", f"/api/books/{number}/loans"),
        ("DELETE", f"/api/books/{number}/wait"),
    ]:
        answer = client.open(path, method=method, headers=reader.bearer)
        assert code_of(answer) == (404, "not_found"), path


def test_methods_that_are_not_there(client: FlaskClient) -> None:
    answer = client.delete("/api/books")
    assert code_of(answer) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_a_book_that_is_lent_cannot_be_removed(
    client: FlaskClient, librarian: Person, reader: Person
) -> None:
    book = add_book(client, librarian, isbn="9789793062792")
    loan = borrow(client, reader, book["id"])
    address = f"/api/books/{book['id']}"
    assert code_of(client.delete(address, headers=librarian.bearer)) == (409, "copies_lent")
    client.post(f"/api/loans/{loan['id']}/return", headers=librarian.bearer)
    assert client.delete(address, headers=librarian.bearer).status_code == 204
    # The loan keeps its title, the catalogue has neither the book nor its ISBN.
    (kept,) = client.get("/api/loans", headers=reader.bearer).get_json()["loans"]
    assert kept["book"]["title"] == "Laskar Pelangi"
    assert client.get("/api/books?q=laskar").get_json()["books"] == []
    assert client.get("/api/books").get_json()["books"] == []
    assert code_of(client.get(address)) == (404, "not_found")
    assert code_of(client.post(f"{address}/loans", headers=reader.bearer)) == (404, "not_found")
    add_book(client, librarian, isbn="9789793062792")


def test_copies_that_are_bought_go_to_those_who_wait(
    client: FlaskClient, librarian: Person, reader: Person, make_person: MakePerson
) -> None:
    book, second, third = add_book(client, librarian, copies=0), make_person(), make_person()
    address = f"/api/books/{book['id']}"
    for person in (reader, second, third):
        assert client.post(f"{address}/loans", headers=person.bearer).status_code == 202
    after = client.put(address, json=book_fields(copies=2), headers=librarian.bearer).get_json()
    assert (after["lent"], after["on_shelf"]) == (2, 0)
    loans = [len(client.get("/api/me", headers=p.bearer).get_json()["loans"])
             for p in (reader, second, third)]  # fmt: skip
    assert loans == [1, 1, 0]
    fewer = client.put(address, json=book_fields(copies=1), headers=librarian.bearer)
    assert code_of(fewer) == (400, "validation_error")
    assert list(fewer.get_json()["errors"]) == ["copies"]


def test_an_isbn_is_of_one_book(client: FlaskClient, librarian: Person) -> None:
    add_book(client, librarian, isbn="9789793062792")
    other = add_book(client, librarian, title="Lain")
    sent = book_fields(isbn="979-3062-79-7")
    for answer in (
        client.post("/api/books", json=sent, headers=librarian.bearer),
        client.put(f"/api/books/{other['id']}", json=sent, headers=librarian.bearer),
    ):
        assert code_of(answer) == (409, "isbn_taken")
        assert list(answer.get_json()["errors"]) == ["isbn"]


def test_answers_are_in_the_language_that_is_asked_for(client: FlaskClient) -> None:
    english, indonesian = (
        client.get("/api/books/4711", headers={"Accept-Language": language}).get_json()
        for language in ("fr", "id")
    )
    assert english["detail"] == "There is nothing at this address."
    assert indonesian["code"] == english["code"]
    assert indonesian["detail"] != english["detail"]


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/api/nothing", {}, 404),
        ("DELETE", "/api/books", {}, 405),
        ("POST", "/api/books", {"data": {"title": "a" * 70_000}}, 413),
        ("POST", "/api/books", {"data": "a", "content_type": "text/plain"}, 415),
    ],
)
def test_what_is_refused_before_any_rule_is_in_indonesian_too(
    client: FlaskClient,
    librarian: Person,
    method: str,
    path: str,
    sent: dict[str, Any],
    status: int,
) -> None:
    details = {}
    for language in ("en", "id"):
        headers = librarian.bearer | {"Accept-Language": language}
        answer = client.open(path, method=method, headers=headers, **sent)
        assert code_of(answer)[0] == status
        details[language] = answer.get_json()["detail"]
    assert re.search(r"\b(This|There|The|Send)\b", details["en"])
    assert re.search(r"\b(Alamat|alamat|Isi|Kirim)\b", details["id"])


def test_no_answer_of_a_person_is_kept_by_caches(client: FlaskClient, reader: Person) -> None:
    assert client.get("/api/me", headers=reader.bearer).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("language", "sentence"), [
    ("en", "The access token is invalid."), ("id", "Access token tidak sah."),
])  # fmt: skip
def test_a_refused_token_is_explained_in_both_languages(
    client: FlaskClient, language: str, sentence: str
) -> None:
    headers = {"Authorization": "Bearer a.b.c", "Accept-Language": language}
    answer = client.get("/api/me", headers=headers)
    assert code_of(answer) == (401, "token_invalid")
    assert answer.get_json()["detail"] == sentence


def test_the_sentences_are_those_of_the_kit() -> None:
    assert {code: str(each) for code, each in _TOKEN_DETAILS.items()} == loguserapp.DETAILS
