"""loguserapp purge and loguserapp db: housekeeping and migrations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext

from app.cli.common import as_json_option, check_database_file, print_rows, refusals
from app.core.engines.sqlite import database_file
from app.core.migrations import bind_flask_migrate
from app.extensions import db
from app.system import housekeeping


class Migrations(click.Command):
    """`db` of Flask-Migrate, loaded on first use."""

    def __init__(self, app: Flask) -> None:
        super().__init__("db", help="Perform database migrations.")
        self._app = app

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **more: Any,
    ) -> click.Context:
        """Delegate to Flask-Migrate."""
        if "--help" not in args:
            _check_file(upgrade="upgrade" in args)
        bind_flask_migrate(self._app)  # which puts Flask-Migrate's own command in our place
        return self._app.cli.commands["db"].make_context(info_name, args, parent, **more)


def _check_file(*, upgrade: bool) -> None:
    """Refuse to create a SQLite database, which is for `db upgrade`, in a folder that is there."""
    file = database_file(db.engine.url)
    if file is None or not (upgrade and file.parent.exists()):
        check_database_file()


@click.command("purge")
@click.option(
    "--older-than", "days", type=click.IntRange(min=0), default=30, show_default=True,
    help="Days since a session ended.",
)  # fmt: skip
@as_json_option
@with_appcontext
def purge(days: int, *, as_json: bool) -> None:
    """Delete ended sessions, and expired one-time codes and counters.

    The service does the same by itself once an hour.
    """
    with refusals():
        deleted = housekeeping.purge(timedelta(days=days))
        print_rows([{"deleted": deleted["session"]}], as_json=as_json)
