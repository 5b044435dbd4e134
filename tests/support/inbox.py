"""Mails as a reader's program has them: from the outbox folder of a service."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask

from app.mail import sender
from app.mail.transport import FOLDER
from tests.support.environment import wait_until

LINK = re.compile(r"https?://[^\s<>\"]+")
CODE = re.compile(r"\b[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}\b")


def read_mail(file: Path) -> EmailMessage:
    """A mail of the folder."""
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def mails_in(instance: Path) -> list[EmailMessage]:
    """The mails of an instance's outbox, in the order in which they were caused."""
    return sorted(map(read_mail, (instance / FOLDER).glob("*.eml")), key=number_of)


def number_of(message: EmailMessage) -> int:
    """A mail's number in the outbox."""
    return int(str(message["Message-ID"]).strip("<>").partition(".")[0])


def send_all(app: Flask, instance: Path) -> list[EmailMessage]:
    """Send what waits, as the thread of a server does, and return every mail."""
    with app.app_context():
        sender.send_due()
    return mails_in(instance)


def wait_for_mail(instance: Path, to: str, page: str, after: int = 0) -> EmailMessage:
    """The newest mail to an address whose link leads to a page, once a server has sent it.

    Args:
        instance: of the server.
        to: the address.
        page: such as "/reset".
        after: the number of a mail; an earlier one than the next is not meant.

    """

    def found() -> list[EmailMessage]:
        return [
            mail for mail in mails_in(instance)
            if mail["To"] == to and number_of(mail) > after and f"{page}?token=" in text_of(mail)
        ]  # fmt: skip

    wait_until(found, f"the mail to {to}")
    return found()[-1]


def last_number(instance: Path) -> int:
    """The number of the newest mail, to wait for a later one; 0 before the first."""
    return max(map(number_of, mails_in(instance)), default=0)


def path_in(message: EmailMessage) -> str:
    """The address with the token, without its host."""
    link = urlsplit(link_in(message))
    return f"{link.path}?{link.query}"


def text_of(message: EmailMessage) -> str:
    """The part that is plain text."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def html_of(message: EmailMessage) -> str:
    """The part that is HTML."""
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def link_in(message: EmailMessage) -> str:
    """The address with the token."""
    (link,) = [each for each in LINK.findall(text_of(message)) if "token=" in each]
    return str(link)


def code_in(message: EmailMessage) -> str:
    """The code, as the mail writes it."""
    (code,) = CODE.findall(text_of(message))
    return str(code)


class Markup(HTMLParser):
    """What an HTML mail shows and refers to.

    Attributes:
        text: what is read, without the style sheet.
        links: where its links lead.
        faults: what an HTML mail may not have, and tags that are not closed.

    """

    FETCHED = ("src", "srcset", "background", "action", "data", "poster", "ping")
    FORBIDDEN = ("img", "script", "link", "iframe", "object", "embed", "form", "base", "svg")
    VOID = ("meta", "br")

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.text, self.links, self.faults = "", list[str](), list[str]()
        self._open: list[str] = []
        self.feed(markup)
        self.close()
        self.faults += [f"{tag} is not closed" for tag in self._open]
        self.faults += re.findall(r"url\(|@import|expression\(", markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.FORBIDDEN:
            self.faults.append(f"<{tag}>")
        self.faults += [f"{name} of {tag}" for name, _ in attrs if name in self.FETCHED]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self._open):
            self.text += data
