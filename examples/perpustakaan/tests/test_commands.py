"""The commands: the first librarian, and books from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import HERE, Person
from flask import Flask
from flask.testing import FlaskClient

from perpustakaan import catalogue


def run(app: Flask, *args: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=list(args))
    return done.exit_code, done.output


def test_a_reader_becomes_a_librarian_and_a_reader_again(
    app: Flask, client: FlaskClient, reader: Person
) -> None:
    code, output = run(app, "librarian", reader.username)
    assert code == 1
    assert "log in here once" in output
    assert client.get("/api/me", headers=reader.bearer).get_json()["is_librarian"] is False
    assert run(app, "librarian", reader.username.upper())[0] == 0
    assert client.get("/api/me", headers=reader.bearer).get_json()["is_librarian"] is True
    assert run(app, "librarian", "--remove", reader.username)[0] == 0
    assert client.get("/api/me", headers=reader.bearer).get_json()["is_librarian"] is False


@pytest.mark.parametrize("name", ["", " ", "nobody", "Ünïcode", "%", "a' OR '1'='1"])
def test_a_name_that_no_reader_has(app: Flask, name: str) -> None:
    assert run(app, "librarian", name)[0] == 1


def test_the_200_titles_of_the_demo(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    file = str(HERE / "demo" / "books.csv")
    assert run(app, "import-books", file) == (0, "200 books added, 0 known already.\n")
    assert run(app, "import-books", file) == (0, "0 books added, 200 known already.\n")
    with app.app_context():
        assert catalogue.search("sitti nurbaya").books[0].author


def test_a_file_with_a_wrong_row_names_it(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    file = tmp_path / "books.csv"
    file.write_text(
        "\ufefftitle,author,isbn,year,copies,shelf\n=1+1,Budi,,,1,A1\nDua,Budi,123,,1,A1\n",
        encoding="utf-8",
    )
    app = make_app()
    code, output = run(app, "import-books", str(file))
    assert code == 1
    assert "row 3, isbn: This is no ISBN" in output
    with app.app_context():
        assert [book.title for book in catalogue.search().books] == ["=1+1"]


@pytest.mark.parametrize(
    "content",
    [b"", b"title\n", b"\xff\xfe\n", b"a,b\n1,2\n", b"title,author,copies\n\x00,a,1\n",
     b"title,author,copies\n\"open,a,1\n", b"title,author,copies\na,b,1,too,many\n"],
)  # fmt: skip
def test_files_that_are_no_lists_of_books(
    make_app: Callable[..., Flask], tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "books.csv"
    file.write_bytes(content)
    code, output = run(make_app(), "import-books", str(file))
    assert "Traceback" not in output
    assert code == (
        0 if content in (b"", b"title\n", b"title,author,copies\na,b,1,too,many\n") else 1
    )
