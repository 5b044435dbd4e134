"""Commands for whoever runs the service: flask users · sessions · keys · purge · db."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from app import housekeeping
from app.accounts import registration, sessions, users
from app.accounts.errors import AccountError, NotFoundError
from app.accounts.hashing import COMMAND_LINE
from app.accounts.keys import PUBLISH_SECONDS, keyring
from app.database import release_connection
from app.forms import NewPasswordForm, RegistrationForm, fill
from app.upgrade import bind_flask_migrate

F = TypeVar("F", bound=Callable[..., Any])

user_commands = AppGroup("users", help="Accounts: list, make, disable, delete.")
session_commands = AppGroup("sessions", help="Logins: list and revoke.")
key_commands = AppGroup("keys", help="Signing keys: list, rotate, retire.")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def init_app(app: Flask) -> None:
    """Give the `flask` command the commands of this service."""
    for command in (user_commands, session_commands, key_commands, purge, Migrations(app)):
        app.cli.add_command(command)


class Migrations(click.Command):
    """`flask db` of Flask-Migrate, which is loaded when somebody calls it."""

    def __init__(self, app: Flask) -> None:
        super().__init__("db", help="Perform database migrations.")
        self._app = app

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Hand the call on."""
        bind_flask_migrate(self._app)  # which puts Flask-Migrate's own command in our place
        return self._app.cli.commands["db"].make_context(*arguments, **options)


@user_commands.command("list")
@as_json
def list_users(*, as_json: bool) -> None:
    """List every account."""
    with _refusals():
        _print([asdict(account) for account in users.list_all()], as_json=as_json)


@user_commands.command("show")
@click.argument("name")
@as_json
def show_user(name: str, *, as_json: bool) -> None:
    """Show the account of a username or e-mail."""
    with _refusals():
        _print([asdict(_named(name))], as_json=as_json)


@user_commands.command("create")
@click.argument("username")
@click.argument("email")
@as_json
def create_user(username: str, email: str, *, as_json: bool) -> None:
    """Make an account; the password is asked for, or read from standard input."""
    with _refusals():
        sent = {"username": username, "email": email, "password": _read_password()}
        profile = registration.register(**fill(RegistrationForm, sent).values(), turn=COMMAND_LINE)
        _print([asdict(users.account(profile.id))], as_json=as_json)


@user_commands.command("disable")
@click.argument("name")
@as_json
def disable_user(name: str, *, as_json: bool) -> None:
    """Shut a person out; every session ends."""
    _set_disabled(name, disabled=True, as_json=as_json)


@user_commands.command("enable")
@click.argument("name")
@as_json
def enable_user(name: str, *, as_json: bool) -> None:
    """Let a person in again."""
    _set_disabled(name, disabled=False, as_json=as_json)


@user_commands.command("set-password")
@click.argument("name")
@as_json
def set_password(name: str, *, as_json: bool) -> None:
    """Set a person's password; every session ends. Asked for, or read from standard input."""
    with _refusals():
        account = _named(name)
        own_words = partial(users.own_words, account.id)
        form = fill(NewPasswordForm, {"password": _read_password()}, own_words=own_words)
        registration.set_password(account.id, form.values()["password"])
        _print([asdict(users.account(account.id))], as_json=as_json)


@user_commands.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def delete_user(name: str, *, yes: bool, as_json: bool) -> None:
    """Delete an account with its sessions and tokens."""
    with _refusals():
        account = _named(name)
        if not yes:
            release_connection()
            click.confirm(f"Delete {account.username} (id {account.id}) for good?", abort=True)
        registration.delete(account.id)
        _print([asdict(account)], as_json=as_json)


@session_commands.command("list")
@click.argument("name")
@as_json
def list_sessions(name: str, *, as_json: bool) -> None:
    """List the living sessions of a username or e-mail."""
    with _refusals():
        own = sessions.list_sessions(_named(name).id)
        rows = [asdict(session) for session in own]
        for row in rows:
            del row["current"]  # nobody is signed in at a command line
        _print(rows, as_json=as_json)


@session_commands.command("revoke")
@click.argument("session_id", type=int, required=False)
@click.option("--user", "name", help="End every session of this username or e-mail.")
@as_json
def revoke_sessions(session_id: int | None, name: str | None, *, as_json: bool) -> None:
    """End one session by its number, or all of a person's."""
    if (session_id is None) == (name is None):
        raise click.UsageError("Name either a session's number or --user.")
    with _refusals():
        if name is not None:
            ended = sessions.log_out_everywhere(_named(name).id)
        else:
            ended = sessions.log_out(session_id or 0)
        if not ended and name is None:
            raise NotFoundError
        _print([{"ended": ended}], as_json=as_json)


@click.command("purge")
@click.option(
    "--older-than", "days", type=click.IntRange(min=0), default=30, show_default=True,
    help="Days since a session ended.",
)  # fmt: skip
@as_json
@with_appcontext
def purge(days: int, *, as_json: bool) -> None:
    """Delete ended sessions, and one-time codes and counts whose time is over.

    The service does the same by itself once an hour.
    """
    with _refusals():
        deleted = housekeeping.purge(timedelta(days=days))
        _print([{"deleted": deleted["session"]}], as_json=as_json)


@key_commands.command("list")
@as_json
def list_keys(*, as_json: bool) -> None:
    """List the keys whose tokens are good."""
    with _refusals():
        _print(_key_rows(), as_json=as_json)


@key_commands.command("rotate")
@click.option(
    "--publish-for", "seconds", type=click.IntRange(min=0), default=PUBLISH_SECONDS,
    show_default=True, help="Seconds for which the new key is public before it signs.",
)  # fmt: skip
@as_json
def rotate_keys(seconds: int, *, as_json: bool) -> None:
    """Make a new key: public now, signing after a while; the old one verifies on."""
    with _refusals():
        keyring().rotate(seconds)
        _print(_key_rows(), as_json=as_json)


# A key's name is base64url and may begin with a dash.
@key_commands.command("retire", context_settings={"ignore_unknown_options": True})
@click.argument("kid")
@as_json
def retire_key(kid: str, *, as_json: bool) -> None:
    """Take a key out at once: every token that it signed is refused."""
    with _refusals():
        try:
            keyring().retire(kid)
        except KeyError:
            raise click.ClickException("There is no such key. See: flask keys list") from None
        except ValueError:
            raise click.ClickException("That is the only key. First: flask keys rotate") from None
        _print(_key_rows(), as_json=as_json)


@contextmanager
def _refusals() -> Iterator[None]:
    """Say a refusal in one line and exit with 1."""
    try:
        yield
    except AccountError as error:
        reasons = [f"{field}: {text}" for field, texts in error.errors.items() for text in texts]
        raise click.ClickException("; ".join(reasons) or error.detail) from None
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", error)).splitlines()[0]
        raise click.ClickException(f"The database cannot be used: {cause}") from None


def _named(name: str) -> users.Account:
    user = users.find_by_name(name)
    if user is None:
        raise click.ClickException(f"There is no account of the name {name!r}.")
    return users.account(user.id)


def _set_disabled(name: str, *, disabled: bool, as_json: bool) -> None:
    with _refusals():
        account = _named(name)
        registration.set_disabled(account.id, disabled=disabled)
        _print([asdict(users.account(account.id))], as_json=as_json)


def _read_password() -> str:
    release_connection()  # the operator may take a while
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\n")


def _key_rows() -> list[dict[str, Any]]:
    signing = keyring().current()
    rows = []
    for key in keyring().all():
        state = "retired"
        if key.kid == signing.kid:
            state = "current"
        elif key.signs_from > time.time():
            state = "next"
        rows.append(
            {
                "kid": key.kid,
                "state": state,
                "signs_from": datetime.fromtimestamp(key.signs_from, UTC),
            }
        )
    return rows


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    shown = [{name: _shown(value) for name, value in row.items()} for row in rows]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for row in shown:
        click.echo("  ".join(f"{name}={value}" for name, value in row.items() if value is not None))


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None, microsecond=0).isoformat() + "Z"
    return value
