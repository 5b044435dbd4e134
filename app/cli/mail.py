"""loguserapp mail: a test mail, and the mails that wait."""

from __future__ import annotations

from dataclasses import asdict
from email.message import EmailMessage

import click
from flask.cli import AppGroup

from app.accounts.email_rule import normalized
from app.cli.common import as_json_option, print_rows, refusals
from app.config import settings
from app.mail import messages, outbox
from app.mail.transport import (
    FOLDER,
    FolderTransport,
    NotDeliveredError,
    SmtpTransport,
    Transport,
)

mail_commands = AppGroup("mail", help="Mails: test the server, list and retry what waits.")


@mail_commands.command("test")
@click.argument("address")
def send_test(address: str) -> None:
    """Send a mail to ADDRESS at once, and show what the mail server says."""
    with refusals(database=False):
        message = _test_mail(address)
        config = settings()
        if config.smtp_host:
            _send(SmtpTransport(config, show=click.echo), message)
            click.echo(f"{config.smtp_host} has taken the mail.")
        else:
            folder = FolderTransport(config.instance_path / FOLDER)
            _send(folder, message)
            click.echo(f"There is no SMTP_HOST, so the mail is a file: {folder.file_of(message)}")


@mail_commands.command("queue")
@as_json_option
def list_queue(*, as_json: bool) -> None:
    """List the mails that wait to be sent, the oldest first."""
    with refusals():
        rows = [asdict(mail) for mail in outbox.waiting()]
        for row in rows:
            row["error"] = row["error"] or None
        print_rows(rows, as_json=as_json)


@mail_commands.command("retry")
@as_json_option
def retry(*, as_json: bool) -> None:
    """Let the service try every mail that waits now, and not when its next try is due."""
    with refusals():
        print_rows([{"due": outbox.retry_now()}], as_json=as_json)


def _test_mail(address: str) -> EmailMessage:
    try:
        return messages.probe(normalized(address.strip()))
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _send(transport: Transport, message: EmailMessage) -> None:
    try:
        transport.send(message)
    except NotDeliveredError as error:
        raise click.ClickException(f"The mail was not sent: {error}") from None
