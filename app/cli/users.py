"""loguserapp users: accounts, listed, created, disabled and deleted."""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial

import click
from flask.cli import AppGroup

from app.accounts import deletion, disabling, lookup, password_change, registration
from app.accounts.by_mail import password_reset
from app.accounts.forms import NewPasswordForm, RegistrationForm
from app.cli.common import as_json_option, named, print_rows, refusals
from app.core.database import release_connection
from app.core.proofs import LIFETIMES, PASSWORD_RESET
from app.models import utcnow

user_commands = AppGroup(
    "users", help="Accounts: list, make, disable, reset, delete, import, export."
)


@user_commands.command("list")
@as_json_option
def list_users(*, as_json: bool) -> None:
    """List every account."""
    with refusals():
        print_rows([asdict(account) for account in lookup.list_all()], as_json=as_json)


@user_commands.command("show")
@click.argument("name")
@as_json_option
def show_user(name: str, *, as_json: bool) -> None:
    """Show the account of a username or e-mail."""
    with refusals():
        print_rows([asdict(named(name))], as_json=as_json)


@user_commands.command("create")
@click.argument("username")
@click.argument("email")
@as_json_option
def create_user(username: str, email: str, *, as_json: bool) -> None:
    """Create an account; the password is prompted for, or read from standard input."""
    with refusals():
        sent = {"username": username, "email": email, "password": _read_password()}
        fields = RegistrationForm.of(sent).values()
        profile = registration.register(fields["username"], fields["email"], fields["password"])
        print_rows([asdict(lookup.account(profile.id))], as_json=as_json)


@user_commands.command("disable")
@click.argument("name")
@as_json_option
def disable_user(name: str, *, as_json: bool) -> None:
    """Disable an account; every session ends."""
    _set_disabled(name, disabled=True, as_json=as_json)


@user_commands.command("enable")
@click.argument("name")
@as_json_option
def enable_user(name: str, *, as_json: bool) -> None:
    """Enable a disabled account."""
    _set_disabled(name, disabled=False, as_json=as_json)


@user_commands.command("set-password")
@click.argument("name")
@as_json_option
def set_password(name: str, *, as_json: bool) -> None:
    """Set a password, prompted for or read from standard input; every session ends."""
    with refusals():
        account = named(name)
        own_words = partial(lookup.own_words, account.id)
        form = NewPasswordForm.of({"password": _read_password()}, own_words=own_words)
        password_change.set_password(account.id, form.values()["password"])
        print_rows([asdict(lookup.account(account.id))], as_json=as_json)


@user_commands.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
def delete_user(name: str, *, yes: bool, as_json: bool) -> None:
    """Delete an account with its sessions and tokens."""
    with refusals():
        account = named(name)
        if not yes:
            release_connection()
            click.confirm(f"Delete {account.username} (id {account.id}) for good?", abort=True)
        deletion.delete(account.id)
        print_rows([asdict(account)], as_json=as_json)


@user_commands.command("reset-link")
@click.argument("name")
@as_json_option
def make_reset_link(name: str, *, as_json: bool) -> None:
    """Print a link with which a person chooses a new password, once, within 30 minutes."""
    with refusals():
        account = named(name)
        if account.disabled_at is not None:
            raise click.ClickException(f"The account {account.username} is disabled.")
        link = password_reset.reset_link(account.id)
        expires_at = utcnow() + LIFETIMES[PASSWORD_RESET]
        print_rows([{"link": link, "expires_at": expires_at}], as_json=as_json)


def _set_disabled(name: str, *, disabled: bool, as_json: bool) -> None:
    with refusals():
        account = named(name)
        disabling.set_disabled(account.id, disabled=disabled)
        print_rows([asdict(lookup.account(account.id))], as_json=as_json)


def _read_password() -> str:
    release_connection()  # the operator may take a while
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\n")
