"""Commands: `flask --app perpustakaan librarian USERNAME`, `… import-books FILE`."""

from __future__ import annotations

import csv
from pathlib import Path

import click
from flask import Flask
from flask.cli import with_appcontext

from perpustakaan import books, readers
from perpustakaan.problems import Conflict, Invalid


def init_app(app: Flask) -> None:
    """Add the commands."""
    app.cli.add_command(_librarian)
    app.cli.add_command(_import_books)


@click.command("librarian")
@click.argument("username")
@click.option("--remove", is_flag=True, help="Make the librarian a reader again.")
@with_appcontext
def _librarian(username: str, remove: bool) -> None:
    """Make the reader USERNAME a librarian.

    The person must have logged in here once: a name alone could be registered by anyone.
    """
    if not readers.set_librarian(username, is_librarian=not remove):
        raise click.ClickException(f"No reader is named {username}: log in here once, then repeat.")
    click.echo(f"{username} is {'a reader' if remove else 'a librarian'} now.")


@click.command("import-books")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_appcontext
def _import_books(file: Path) -> None:
    """Add the books of FILE: CSV in UTF-8; columns title, author, isbn, year, copies, shelf.

    A book whose ISBN is in the catalogue already is passed over, as is one without an ISBN whose
    title and author are.
    """
    added = passed = 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                is_new = books.add_unless_known(row)
                added, passed = added + is_new, passed + (not is_new)
    except (Invalid, Conflict) as problem:
        number = added + passed + 2  # the first row has the names
        wrong = "; ".join(f"{name}: {found[0]}" for name, found in problem.errors.items())
        raise click.ClickException(f"row {number}, {wrong}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.ClickException(f"{file}: no CSV in UTF-8: {error}") from None
    click.echo(f"{added} books added, {passed} known already.")
