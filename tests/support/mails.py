"""The mails of an application without a mail server: what its outbox folder holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from pathlib import Path

from flask import Flask

from app.config import settings
from app.mail import sender
from app.mail.transport import FOLDER


@dataclass(frozen=True)
class Mail:
    """A mail as its reader has it; `token` and `code` are empty where it has none."""

    number: int
    to: str
    subject: str
    text: str
    message: EmailMessage

    @property
    def link(self) -> str:
        found = re.search(r"https?://\S+\?token=\S+", self.text)
        return found[0] if found else ""

    @property
    def token(self) -> str:
        return self.link.partition("?token=")[2]

    @property
    def code(self) -> str:
        found = re.search(r"\b[B-Z]{4}-[B-Z]{4}\b", self.text)
        return found[0] if found else ""


def delivered(app: Flask, to: str = "", page: str = "") -> list[Mail]:
    """Send what waits; then every mail, the first one first.

    Args:
        app: whose mails.
        to: of this address alone.
        page: with a link to this page alone, such as `/reset`.

    """
    with app.app_context():
        sender.send_due()
    return [
        mail
        for mail in read(settings.of(app).instance_path)
        if to in {"", mail.to} and (not page or f"{page}?token=" in mail.link)
    ]


def read(instance: Path) -> list[Mail]:
    """Every mail of an instance folder, the first one first."""
    return sorted(map(_read, (instance / FOLDER).glob("*.eml")), key=lambda mail: mail.number)


def _read(file: Path) -> Mail:
    message = message_from_bytes(file.read_bytes(), policy=default_policy)
    body = message.get_body(("plain",))
    assert body is not None
    number = int(str(message["Message-ID"]).strip("<").partition(".")[0])
    return Mail(number, str(message["To"]), str(message["Subject"]), body.get_content(), message)
