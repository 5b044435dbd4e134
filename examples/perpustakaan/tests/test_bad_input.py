"""Every field wrong in every way is a 400 that names it; what is text stays text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Person, add_readers, book_fields
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perpustakaan import book_fields as fields
from perpustakaan import books, catalogue, lending
from perpustakaan.problems import Invalid, Problem

NO_TEXT: list[Any] = [1, 1.5, True, [], {}, ["Laskar"], {"a": 1}]
WRONG_TITLES: list[Any] = [
    None, "", " ", "\t\n ", "a" * 201, "\x00", "Laskar\x00", "\x1b[31m", "\ud800", "...", "-",
    "\u202eLaskar", "Laskar \u2066", *NO_TEXT,
]  # fmt: skip
WRONG: dict[str, list[Any]] = {
    "title": WRONG_TITLES,
    "author": WRONG_TITLES,
    "isbn": [
        "9789793062793", "978979306279", "97897930627920", "9793062790", "979306279", "X793062797",
        "979306279XX", "abc", "9779793062792", "٩٧٨٩٧٩٣٠٦٢٧٩٢", "9789793062792\x00", *NO_TEXT,
    ],
    "year": ["0", "-1", "99999", "2005.0", "2005a", "mmv", "٢٠٠٥", "1e3", "0x7d5", "20 05",
             "\x00", 0, -1, 10**30, 2005.0, True, False, [], {}, [2005], "1" * 5000],
    "copies": [None, "", " ", "-1", "10000", "1.5", "one", "١", "1e2", -1, 10_000, 10**30, 1.0,
               True, False, [], {}, float("inf")],
    "shelf": ["a" * 41, "\x07", "\ud800", "\u202eA1", *NO_TEXT],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(k, each) for k, v in WRONG.items() for each in v])
def test_each_wrong_value_names_its_field(name: str, value: Any) -> None:
    with pytest.raises(Invalid) as raised:
        fields.parse(book_fields(**{name: value}))
    assert list(raised.value.errors) == [name]
    assert len(raised.value.errors[name]) == 1


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(Invalid) as raised:
        fields.parse({name: values[-1] for name, values in WRONG.items()})
    assert set(raised.value.errors) == set(WRONG)


def test_missing_fields_are_named() -> None:
    with pytest.raises(Invalid) as raised:
        fields.parse({})
    assert set(raised.value.errors) == {"title", "author", "copies"}


def test_what_is_good_is_normalised() -> None:
    sent = {
        "title": "  Laskar \n Pelangi ", "author": "Andre\u0301 Hirata", "isbn": "979-3062-79-7 ",
        "year": " 2005", "copies": "007", "shelf": "", "nonsense": [1],
    }  # fmt: skip
    assert vars(fields.parse(sent)) == {
        "title": "Laskar Pelangi", "author": "André Hirata", "isbn13": "9789793062792",
        "year": 2005, "copies": 7, "shelf": "",
    }  # fmt: skip


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.none()),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(WRONG)), VALUES))
def test_whatever_is_sent_is_taken_or_refused_by_name(sent: dict[str, Any]) -> None:
    try:
        found = fields.parse(sent)
    except Invalid as invalid:
        assert set(invalid.errors) <= set(WRONG)  # noqa: PT017
        assert all(invalid.errors.values())  # noqa: PT017
    else:
        json.dumps(vars(found), ensure_ascii=False).encode()


@given(st.text(min_size=1, max_size=200), st.text(max_size=100))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_every_text_that_is_taken_is_stored_and_found(rules: Flask, title: str, query: str) -> None:
    catalogue.search(query)
    try:
        book = books.add(book_fields(title=title))
    except Problem as problem:
        assert list(problem.errors) == ["title"]  # noqa: PT017
        return
    assert book.id in [each.id for each in catalogue.search(book.title, sort="newest").books]


HOSTILE = [
    "<script>alert(1)</script>", "'; DROP TABLE book; --", "=HYPERLINK(\"http://x\",\"y\")",
    "+1+1", "@SUM(1)", "%(count)s {{ 7*7 }} {0}", "Robert\"); --", "\\u0000 \\x00", "a%_b",
    "𝕃𝕒𝕤𝕜𝕒𝕣 🌈", "رواية", "红楼梦",
]  # fmt: skip


@pytest.mark.parametrize("title", HOSTILE)
def test_text_stays_text(client: FlaskClient, librarian: Person, title: str) -> None:
    sent = book_fields(title=title, author=title, shelf=title)
    made = client.post("/api/books", json=sent, headers=librarian.bearer).get_json()
    assert (made["title"], made["author"], made["shelf"]) == (title, title, title)
    answer = client.get(f"/api/books/{made['id']}")
    assert answer.get_json() == made
    assert answer.content_type == "application/json"
    found = client.get("/api/books", query_string={"q": title}).get_json()["books"]
    assert found == [made]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("sort", "price"), ("sort", "title; DROP"), ("sort", "TITLE"), ("sort", "\x00"),
        ("limit", "0"), ("limit", "101"), ("limit", "-1"), ("limit", "ten"), ("limit", "1.5"),
        ("limit", "٥"), ("limit", "9" * 5000), ("limit", "²"),
        ("q", "a" * 201),
        ("after", "x"), ("after", "e30"), ("after", "W10"), ("after", "é"), ("after", "===="),
        ("after", "WyJ0aXRsZSIsMSwxXQ"), ("after", "WyJ5ZWFyIiwxLDFd"),
        ("after", "WyJ0aXRsZSIsImEiLHRydWVd"), ("after", "WyJ0aXRsZSIsIlx1ZDgwMCIsMV0"),
        ("after", "WyJ0aXRsZSIsImEiLDFlOTldXQ"), ("after", "W1tbW1tb" * 5000),
        ("after", "WyJ0aXRsZSIsImEiLDk5OTk5OTk5OTk5OTk5OTk5OTk5OTld"),
    ],
)  # fmt: skip
def test_wrong_parameters_of_the_catalogue(client: FlaskClient, parameter: str, value: str) -> None:
    answer = client.get("/api/books", query_string={parameter: value})
    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [parameter]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("limit", "0"), ("limit", "x"), ("after", "0"), ("after", "-1"), ("after", "9" * 50),
     ("overdue", "yes"), ("overdue", "2"), ("username", ""), ("username", "nobody"),
     ("username", "Ünïcode"), ("username", "a" * 5000), ("username", "\x00")],
)  # fmt: skip
def test_wrong_parameters_of_the_loans(
    client: FlaskClient, librarian: Person, parameter: str, value: str
) -> None:
    query = {parameter: value}
    answer = client.get("/api/loans", query_string=query, headers=librarian.bearer)
    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [parameter]


@pytest.mark.parametrize("value", ["nobody", 1, True, [], {}, "a" * 5000, "\ud800", "\x00", " "])
def test_a_wrong_username_of_a_borrower(client: FlaskClient, librarian: Person, value: Any) -> None:
    answer = client.post(
        "/api/books/1/loans",
        data=json.dumps({"username": value}),
        content_type="application/json",
        headers=librarian.bearer,
    )
    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == ["username"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_body"),
        (b"", "application/json", 400, "malformed_body"),
        (b"[]", "application/json", 400, "malformed_body"),
        (b"null", "application/json", 400, "malformed_body"),
        (b'"a"', "application/json", 400, "malformed_body"),
        (b"\xff\xfe", "application/json", 400, "malformed_body"),
        (b"[" * 60_000, "application/json", 400, "malformed_body"),
        (b'{"copies": ' + b"1" * 5000 + b"}", "application/json", 400, "malformed_body"),
        (b"title=a", "text/plain", 415, "unsupported_media_type"),
        (b"<title/>", "application/xml", 415, "unsupported_media_type"),
        (b"title=a", None, 415, "unsupported_media_type"),
        (b"title=" + b"a" * 70_000, "application/x-www-form-urlencoded", 413, "body_too_large"),
        (b" " * 70_000, "application/json", 413, "body_too_large"),
        (b"\xff=\xfe&title", "application/x-www-form-urlencoded", 400, "validation_error"),
        (b"--x", "multipart/form-data; boundary=x", 400, "validation_error"),
        (b"", None, 400, "validation_error"),
    ],
)
def test_wrong_bodies(
    client: FlaskClient,
    librarian: Person,
    body: bytes,
    content_type: str | None,
    status: int,
    code: str,
) -> None:
    answer = client.post(
        "/api/books", data=body, content_type=content_type, headers=librarian.bearer
    )
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert client.get("/api/books").get_json()["books"] == []


def test_a_form_a_multipart_form_and_json_say_the_same(
    client: FlaskClient, librarian: Person
) -> None:
    sent = book_fields(copies="2", year="1938")
    kinds: list[dict[str, Any]] = [
        {"data": sent},
        {"data": sent, "content_type": "multipart/form-data"},
        {"json": sent},
        {"json": sent | {"copies": 2, "year": 1938}},
    ]
    made = [
        client.post("/api/books", headers=librarian.bearer, **kind).get_json() for kind in kinds
    ]
    assert len({(book["title"], book["copies"], book["year"]) for book in made}) == 1


def test_fewer_copies_than_are_lent_is_a_400_that_names_the_copies(rules: Flask) -> None:
    book, (mira,) = books.add(book_fields(copies=2)), add_readers(1)
    lending.borrow(book.id, mira)
    with pytest.raises(Invalid) as raised:
        books.change(book.id, book_fields(copies=0))
    assert list(raised.value.errors) == ["copies"]
    assert books.change(book.id, book_fields(copies=1)).on_shelf == 0
