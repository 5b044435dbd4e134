"""Helpers of the commands: preconditions, refusals in one line, rows as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from app.accounts import lookup
from app.config import Config, settings
from app.core.database import cause
from app.core.engines.sqlite import database_file
from app.core.errors import AccountError
from app.core.migrations import revision
from app.core.secret_files import SECRET_KEY
from app.extensions import db
from app.sessions.keys import KEYRING
from app.text import rfc3339

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def refusals(*, database: bool = True) -> Iterator[None]:
    """Print a refusal in one line and exit with 1; the first is that the service never started.

    Args:
        database: whether the command uses the database.

    """
    try:
        check_instance()
        if database:
            check_database()
        yield
    except AccountError as error:
        reasons = [f"{field}: {text}" for field, texts in error.errors.items() for text in texts]
        raise click.ClickException("; ".join(reasons) or error.detail) from None
    except SQLAlchemyError as error:
        raise click.ClickException(f"The database cannot be used: {cause(error)}") from None


def check_instance() -> None:
    """Refuse a command where the service has not started yet: a command creates no keys.

    Raises:
        click.ClickException: the instance folder or its keys are missing.

    """
    folder = settings().instance_path
    if not (folder / KEYRING).exists():
        raise click.ClickException(
            f"There is no instance folder of the service at {folder}. Start the service once with "
            "make run, or set INSTANCE_PATH."
        )


def check_secret() -> None:
    """Refuse to serve with a secret that is not the service's: tokens and cookies would not match.

    Raises:
        click.ClickException: the instance folder has no secret, and SECRET_KEY is not set.

    """
    folder = settings().instance_path
    if not (folder / SECRET_KEY).exists() and not Config.from_environment().secret_key:
        raise click.ClickException(
            f"There is no {SECRET_KEY} in {folder}. Set SECRET_KEY to that of the service."
        )


def check_database() -> None:
    """Refuse a command that would read a database without tables, or create an empty one.

    Raises:
        click.ClickException: the file or the tables are missing.
        SQLAlchemyError: the database does not answer.

    """
    check_database_file()
    with db.engine.connect() as connection:
        if revision(connection) is None:
            raise click.ClickException(
                "The database has no tables yet. Start the service once with make run."
            )


def check_database_file() -> None:
    """Refuse to connect to a SQLite file that is missing: connecting would create it.

    Raises:
        click.ClickException: the file is missing.

    """
    file = database_file(db.engine.url)
    if file is not None and not file.exists():
        raise click.ClickException(
            f"There is no database at {file}. Start the service once with make run."
        )


def named(name: str) -> lookup.Account:
    """Return the account of a username or e-mail, or exit with 1."""
    user = lookup.find_by_name(name.strip())
    if user is None:
        raise click.ClickException(f"There is no account of the name {name!r}.")
    return lookup.account(user.id)


def print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows, one a line, or as a JSON list."""
    shown = [{name: _shown(value) for name, value in row.items()} for row in rows]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for row in shown:
        click.echo("  ".join(f"{name}={value}" for name, value in row.items() if value is not None))


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value.replace(tzinfo=None))
    return value
