"""loguserapp keys: the signing keys, listed, rotated and retired."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup

from app.cli.common import as_json_option, print_rows, refusals
from app.sessions.keys import PUBLISH_SECONDS, keyring

key_commands = AppGroup("keys", help="Signing keys: list, rotate, retire.")


@key_commands.command("list")
@as_json_option
def list_keys(*, as_json: bool) -> None:
    """List the keys whose tokens are still accepted."""
    with refusals(database=False):
        print_rows(_key_rows(), as_json=as_json)


@key_commands.command("rotate")
@click.option(
    "--publish-for", "seconds", type=click.IntRange(min=0), default=PUBLISH_SECONDS,
    show_default=True, help="Seconds for which the new key is public before it signs.",
)  # fmt: skip
@as_json_option
def rotate_keys(seconds: int, *, as_json: bool) -> None:
    """Create a key: published now, signing later; tokens of the old one stay valid."""
    with refusals(database=False):
        keyring().rotate(seconds)
        print_rows(_key_rows(), as_json=as_json)


# A key's name is base64url and may begin with a dash.
@key_commands.command("retire", context_settings={"ignore_unknown_options": True})
@click.argument("kid")
@as_json_option
def retire_key(kid: str, *, as_json: bool) -> None:
    """Remove a key at once: every token that it signed is refused."""
    with refusals(database=False):
        try:
            keyring().retire(kid)
        except KeyError:
            raise click.ClickException(
                "There is no such key. See: ./loguserapp keys list"
            ) from None
        except ValueError:
            raise click.ClickException(
                "That is the only key. First: ./loguserapp keys rotate"
            ) from None
        print_rows(_key_rows(), as_json=as_json)


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
