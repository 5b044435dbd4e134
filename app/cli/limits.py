"""loguserapp limits: counters of failed logins, cleared."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.accounts import lookup
from app.cli.common import as_json_option, named, print_rows, refusals
from app.limits import attempts
from app.limits.rules import CountersNotListedError
from app.sessions import listing

limit_commands = AppGroup("limits", help="Rate limits: clear what an account has used up.")


@limit_commands.command("clear")
@click.argument("name")
@as_json_option
def clear(name: str, *, as_json: bool) -> None:
    """Forget the failed logins and confirmations of a username or e-mail."""
    with refusals():
        user = lookup.find_by_name(name.strip())
        own = listing.list_sessions(user.id) if user else []
        try:
            cleared = attempts.clear(user.id if user else name.strip(), [each.id for each in own])
        except CountersNotListedError as error:
            raise click.ClickException(str(error)) from None
        if not cleared:
            named(name)  # which refuses a name that is neither an account's nor was tried
        print_rows([{"cleared": cleared}], as_json=as_json)
