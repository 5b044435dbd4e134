"""Rows of other programs: CSV, JSON and htpasswd files, and tables of other databases."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import IO, Any

import click
from sqlalchemy import Engine, NullPool, column, create_engine, inspect, select, table
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.transfer.rows import OPTIONAL, REQUIRED, Options, Row
from app.core.database import BATCH_ROWS, cause
from app.core.engines.sqlite import database_file

FORMATS = ("csv", "json", "htpasswd")
_SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".htpasswd": "htpasswd",
}
# What a URL is named by that stands in a variable, so that no list of processes shows it.
FROM_ENVIRONMENT = "env:"
# What a spreadsheet takes for a formula. `users export` writes a ' before it.
FORMULA = re.compile(r"'*[=+\-@\t\r]")
_CHUNK = 1 << 16
# Characters: no object of an account is longer.
_LONGEST = 1 << 20
_SPACE = re.compile(r"[\s,]*")


class Columns:
    """By what names another program calls the fields of an account.

    Args:
        named: its names by ours; a field that is missing here has our name.
        options: which fields the rows must have.

    """

    def __init__(self, named: Mapping[str, str], options: Options) -> None:
        self._named = {name: named.get(name, name) for name in (*REQUIRED, *OPTIONAL)}
        self._required = options.required() | named.keys()

    def present(self, theirs: Iterable[str]) -> dict[str, str]:
        """Their names of the fields that are there, by ours."""
        there = set(theirs)
        return {ours: name for ours, name in self._named.items() if name in there}

    def missing(self, theirs: Iterable[str]) -> str | None:
        """Their name of the first field that must be there and is not, or None."""
        there = set(theirs)
        needed = [name for ours, name in self._named.items() if ours in self._required]
        return next((name for name in needed if name not in there), None)

    def _others(self, theirs: Sequence[str]) -> str:
        """The columns that are there; not a first line that is no header, but holds a hash."""
        return f", but {', '.join(theirs)}" if self.present(theirs) else ""

    def found(self, theirs: Iterable[str], where: str) -> dict[str, str]:
        """As `present`, or exit with 1."""
        theirs = list(theirs)
        missing = self.missing(theirs)
        if missing is not None:
            raise click.ClickException(
                f"{where} has no column {missing!r}{self._others(theirs)}. Name its columns with "
                "--columns username=…,email=…,password=…"
            )
        return self.present(theirs)


def rows_of_file(path: str, form: str | None, columns: Columns) -> Iterator[Row]:
    """Read a file, or standard input for `-`.

    A byte that is not UTF-8 becomes a character that no username, e-mail or hash can have, so that
    its row alone is refused.
    """
    form = form or _form_of(path)
    try:
        stream: IO[Any] = click.open_file(path, "rb")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from None
    readers = {"csv": _csv, "json": _json, "htpasswd": _htpasswd}
    with stream:
        text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
        yield from readers[form](text, columns)


def _form_of(path: str) -> str:
    name = Path(path).name
    form = _SUFFIXES.get(Path(f"x{name}").suffix.lower())  # of a file .htpasswd as well
    form = form or ("htpasswd" if name == "htpasswd" else None)
    if form is None:
        raise click.UsageError("Name the format of the file: --format csv, json or htpasswd.")
    return form


def _csv(file: IO[str], columns: Columns) -> Iterator[Row]:
    first = file.readline()
    delimiter = next((each for each in ",;\t" if each in first), ",")
    reader = csv.reader(chain([first], file), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        found = columns.found(header, "The file")
        places = {ours: header.index(theirs) for ours, theirs in found.items()}
        for values in reader:
            if not values:
                continue
            fault = ""
            if len(values) != len(header):
                fault = f"it has {len(values)} columns, and the first line {len(header)}"
                values = [""] * len(header)  # noqa: PLW2901
            fields = {ours: _without_mark(values[place]) for ours, place in places.items()}
            yield Row(reader.line_num, fields, fault)
    except csv.Error as error:
        raise click.ClickException(f"Line {reader.line_num} is not CSV: {error}.") from None


def _without_mark(text: str) -> str:
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _htpasswd(file: IO[str], columns: Columns) -> Iterator[Row]:
    if columns.missing(["username", "password"]) == "email":
        raise click.UsageError("htpasswd has no e-mails: name --email-domain.")
    for number, line in enumerate(file, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            name, colon, hashed = text.partition(":")
            fault = "" if colon else "it is not name:hash"
            yield Row(number, {"username": name, "password": hashed}, fault)


def _json(file: IO[str], columns: Columns) -> Iterator[Row]:
    for number, value in _objects(file):
        if not isinstance(value, dict):
            yield Row(number, {}, "it is no object")
            continue
        missing = columns.missing(value)
        fault = f"it has no {missing!r}" if missing is not None else ""
        fields = {ours: _text(value[name]) for ours, name in columns.present(value).items()}
        yield Row(number, fields, fault)


def _objects(file: IO[str]) -> Iterator[tuple[int, Any]]:
    """The members of an array, or objects one after another, each with the line it begins in.

    Read in pieces: the whole array of a million accounts would take a gigabyte.
    """
    decoder, text, at, line = json.JSONDecoder(), "", 0, 1
    is_array = False
    for chunk in iter(lambda: file.read(_CHUNK), ""):
        if line == 1 and not is_array and not text:
            is_array = chunk.lstrip().startswith("[")
            chunk = chunk.replace("[", "", 1) if is_array else chunk  # noqa: PLW2901
        text, at = text[at:] + chunk, 0
        while True:
            begins = _SPACE.match(text, at).end()  # type: ignore[union-attr]
            try:
                value, end = decoder.raw_decode(text, begins)
            except (ValueError, RecursionError):  # the latter by nested arrays
                break  # its end is in the next piece
            line += text.count("\n", at, begins)
            yield line, value
            line += text.count("\n", begins, end)
            at = end
        if len(text) - at > _LONGEST:
            break
    rest = text[at:].strip(" \t\r\n,")
    if rest != ("]" if is_array else ""):
        raise click.ClickException(
            f"What begins in line {line} is not JSON, or the file ends too soon."
        )


# --- a table of another database -----------------------------------------------------------------


def rows_of_table(url: str, name: str | None, columns: Columns) -> Iterator[Row]:
    """Read a table, row by row. Nothing that is printed holds the URL."""
    if not name:
        raise click.UsageError("Name the table: --table users.")
    try:
        engine = _engine(_url(url))
        theirs = [each["name"] for each in inspect(engine).get_columns(name)]
        found = columns.found(theirs, "The table")
        wanted: list[Any] = [column(each) for each in found.values()]
        chosen = select(*wanted).select_from(table(name))
        options = {"stream_results": True, "yield_per": BATCH_ROWS}
        with engine.connect().execution_options(**options) as connection:
            for number, values in enumerate(connection.execute(chosen), 1):
                yield Row(number, dict(zip(found, map(_text, values), strict=True)))
    except SQLAlchemyError as error:
        said = f"{type(error).__name__} {cause(error)}"
        raise click.ClickException(f"The other database cannot be read: {said}") from None


def _url(text: str) -> URL:
    if text.startswith(FROM_ENVIRONMENT):
        variable = text.removeprefix(FROM_ENVIRONMENT)
        if variable not in os.environ:
            raise click.ClickException(f"There is no variable {variable}.")
        text = os.environ[variable]
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise click.ClickException("That is not the URL of a database.") from None
    if url.drivername in {"mysql", "mariadb"}:
        url = url.set(drivername=f"{url.drivername}+pymysql")
    if url.drivername not in {"sqlite", "mysql+pymysql", "mariadb+pymysql"} or not url.database:
        raise click.ClickException(
            "The URL must begin with mysql:// or sqlite:// and name a database. From others, "
            "export a CSV file."
        )
    return url


def _engine(url: URL) -> Engine:
    file = database_file(url)
    if file is None:
        return create_engine(url, poolclass=NullPool, hide_parameters=True)
    if not file.exists():
        raise click.ClickException(f"There is no database at {file}.")
    read_only = f"{file.absolute().as_uri()}?mode=ro"
    return create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(read_only, uri=True),
        poolclass=NullPool,
        hide_parameters=True,
    )


def _text(value: object) -> str:
    """A value of JSON or of a database, as CSV would write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
