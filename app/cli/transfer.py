"""loguserapp users import and export: accounts from another program, and to another one."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import click
from flask.cli import with_appcontext

from app.accounts.email_rule import valid_email
from app.accounts.transfer.exporting import COLUMNS, HASH, export_accounts
from app.accounts.transfer.importing import Batch, import_accounts
from app.accounts.transfer.rows import OPTIONAL, REQUIRED, Options, Row
from app.cli.common import refusals
from app.cli.sources import (
    FORMATS,
    FORMULA,
    FROM_ENVIRONMENT,
    Columns,
    rows_of_file,
    rows_of_table,
)

# Seconds between two lines that say how far an import is.
_PROGRESS = 5


@click.command("import")
@click.argument("source", metavar="FILE")
@click.option("--yes", is_flag=True, help="Import. Without it, only say what would happen.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Else as FILE is called.")
@click.option("--table", "table", metavar="NAME", help="The table, where FILE is a database.")
@click.option(
    "--columns", metavar="OURS=THEIRS,…", default="",
    help=f"What FILE calls {', '.join((*REQUIRED, *OPTIONAL))}.",
)  # fmt: skip
@click.option("--email-domain", metavar="DOMAIN", default="",
              help="Where FILE has no e-mail: USERNAME@DOMAIN.")  # fmt: skip
@click.option("--usernames-from-emails", is_flag=True, help="Where FILE has no usernames.")
@click.option(
    "--emails-proven", is_flag=True,
    help="You vouch for the e-mails: those with an email_verified_at, or without that column all.",
)  # fmt: skip
@with_appcontext
def import_users(
    source: str,
    form: str | None,
    table: str | None,
    columns: str,
    email_domain: str,
    *,
    yes: bool,
    usernames_from_emails: bool,
    emails_proven: bool,
) -> None:
    """Import accounts with the hashes of their passwords.

    FILE is CSV, JSON or htpasswd, - for standard input, or another database: mysql://… or
    sqlite:///…, or env:NAME for a variable that holds its URL. Accounts that are here already stay
    as they are, so that an import can be repeated.
    """
    options = Options(yes, emails_proven, _domain(email_domain), usernames_from_emails)
    named = Columns(_named(columns), options)
    is_database = "://" in source or source.startswith(FROM_ENVIRONMENT)
    with refusals():
        if is_database:
            rows = rows_of_table(source, table, named)
        else:
            rows = rows_of_file(source, form, named)
        _report(rows, options, "row" if is_database else "line")


@click.command("export")
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True,
    help="JSON: an array, one account a line.",
)  # fmt: skip
@click.option("--hashes", is_flag=True, help="With the hashes of passwords: keep the file secret.")
@with_appcontext
def export_users(form: str, *, hashes: bool) -> None:
    """Print every account, for `users import` elsewhere or a spreadsheet."""
    with refusals():
        accounts = (each for batch in export_accounts(hashes=hashes) for each in batch)
        if form == "json":
            _print_json(accounts)
        else:
            _print_csv(accounts, (*COLUMNS, HASH) if hashes else COLUMNS)


# --- import --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Total:
    """What all batches so far came to."""

    read: int = 0
    present: int = 0
    refused: int = 0
    imported: Counter[tuple[str, int] | None] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def add(self, batch: Batch) -> None:
        self.read += batch.read
        self.present += batch.present
        self.refused += len(batch.refused)
        self.imported += batch.imported

    def rate(self) -> float:
        return self.read / max(time.monotonic() - self.began, 0.001)


def _report(rows: Iterable[Row], options: Options, unit: str) -> None:
    """Print each refusal as it comes, now and then how far it is, and the sum."""
    total, said = _Total(), time.monotonic()
    try:
        for batch in import_accounts(rows, options):
            for number, reason in batch.refused:
                click.echo(f"{unit} {number}: {reason}")
            total.add(batch)
            if time.monotonic() - said > _PROGRESS:
                said = time.monotonic()
                click.echo(f"{total.read:,} {unit}s, {total.rate():,.0f} a second", err=True)
    except BaseException:
        if total.read:
            _print_sum(total, options, unit)
        raise
    _print_sum(total, options, unit)


def _print_sum(total: _Total, options: Options, unit: str) -> None:
    would = "" if options.write else "would be "
    click.echo(f"{total.read:,} {unit}s read")
    click.echo(f"{total.imported.total():>9,} {would}imported{_kinds(total.imported)}")
    click.echo(f"{total.present:>9,} here already, and left as they are")
    click.echo(f"{total.refused:>9,} {would}refused")
    if not options.write:
        click.echo("Nothing was written. To import: --yes")


def _kinds(imported: Counter[tuple[str, int] | None]) -> str:
    """How many there are of each scheme, from which cost to which."""
    parts = []
    for scheme in sorted({kind[0] for kind in imported if kind}):
        costs = {kind[1]: count for kind, count in imported.items() if kind and kind[0] == scheme}
        least, most = min(costs), max(costs)
        cost = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        parts.append(f"{sum(costs.values()):,} {scheme} (cost {cost})")
    if imported[None]:
        parts.append(f"{imported[None]:,} without a password, to be set by the reset mail")
    return ": " + ", ".join(parts) if parts else ""


def _named(columns: str) -> dict[str, str]:
    named = {}
    for pair in filter(None, columns.split(",")):
        ours, _, theirs = pair.partition("=")
        if ours not in (*REQUIRED, *OPTIONAL) or not theirs:
            raise click.UsageError(
                f"--columns has {pair!r}: write OURS=THEIRS, where OURS is one of "
                f"{', '.join((*REQUIRED, *OPTIONAL))}."
            )
        named[ours] = theirs
    return named


def _domain(text: str) -> str:
    if text and valid_email(f"name@{text}") is None:
        raise click.UsageError("--email-domain must be a domain like example.com.")
    return text


# --- export --------------------------------------------------------------------------------------


def _print_csv(accounts: Iterable[dict[str, str | None]], columns: tuple[str, ...]) -> None:
    """Print CSV whose cells no spreadsheet takes for formulas; `users import` undoes that."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(map(_cell, account.values()) for account in accounts)


def _cell(text: str | None) -> str:
    return f"'{text}" if text and FORMULA.match(text) else text or ""


def _print_json(accounts: Iterator[dict[str, str | None]]) -> None:
    between = "[\n"
    for account in accounts:
        click.echo(between + json.dumps(account), nl=False)
        between = ",\n"
    click.echo("[]" if between == "[\n" else "\n]")
