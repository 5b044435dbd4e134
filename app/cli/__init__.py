"""The commands of an operator: loguserapp users, sessions, keys, mail, limits, purge, db."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import ScriptInfo

from app.cli.common import check_database, check_secret, refusals
from app.cli.database import Migrations, purge
from app.cli.keys import key_commands
from app.cli.limits import limit_commands
from app.cli.mail import mail_commands
from app.cli.sessions import session_commands
from app.cli.transfer import export_users, import_users
from app.cli.users import user_commands

# Flask's own commands that serve or use the application, which they load as they begin.
_OF_FLASK = {"run", "shell"}


def is_command() -> bool:
    """Whether the `flask` command loads the application, rather than a server."""
    context = click.get_current_context(silent=True)
    return context is not None and context.find_object(ScriptInfo) is not None


def is_operators() -> bool:
    """Whether the `flask` command loads the application for one of the commands here."""
    return is_command() and click.get_current_context().info_name not in _OF_FLASK


def init_app(app: Flask) -> None:
    """Register the commands."""
    user_commands.add_command(import_users)
    user_commands.add_command(export_users)
    groups = (user_commands, session_commands, key_commands, mail_commands, limit_commands)
    for command in (*groups, purge, Migrations(app)):
        app.cli.add_command(command)
    if is_command() and not is_operators():
        with app.app_context(), refusals(database=False):
            check_secret()
            check_database()
