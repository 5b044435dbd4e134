"""loguserapp sessions: sessions, listed and revoked."""

from __future__ import annotations

from dataclasses import asdict

import click
from flask.cli import AppGroup

from app.cli.common import as_json_option, named, print_rows, refusals
from app.core.errors import NotFoundError
from app.sessions import ending, listing

session_commands = AppGroup("sessions", help="Logins: list and revoke.")


@session_commands.command("list")
@click.argument("name")
@as_json_option
def list_sessions(name: str, *, as_json: bool) -> None:
    """List the active sessions of a username or e-mail."""
    with refusals():
        own = listing.list_sessions(named(name).id)
        rows = [asdict(session) for session in own]
        for row in rows:
            del row["current"]  # a command has no session
        print_rows(rows, as_json=as_json)


@session_commands.command("revoke")
@click.argument("session_id", type=int, required=False)
@click.option("--user", "name", help="End every session of this username or e-mail.")
@as_json_option
def revoke_sessions(session_id: int | None, name: str | None, *, as_json: bool) -> None:
    """End one session by its id, or all sessions of an account."""
    if (session_id is None) == (name is None):
        raise click.UsageError("Name either a session's number or --user.")
    with refusals():
        if name is not None:
            ended = ending.log_out_everywhere(named(name).id)
        else:
            ended = ending.log_out(session_id or 0)
        if not ended and name is None:
            raise NotFoundError
        print_rows([{"ended": ended}], as_json=as_json)
