"""Text from outside makes no header, no address and no tag of a mail."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask

from app.core.client import Client
from app.extensions import db
from app.mail import outbox, sender
from app.mail.kinds import Kind
from app.models import Outbox, User, utcnow
from app.text import with_key
from tests.support.mail import FROM, MailServer, text_of

HEADERS = {
    "From", "To", "Subject", "Message-ID", "Auto-Submitted", "Date", "Content-Language",
    "MIME-Version", "Content-Type",
}  # fmt: skip
INJECTIONS = [
    "evil\r\nBcc: thief@example.com",
    "evil\nBcc: thief@example.com\n\nanother body",
    "evil\rBcc: thief@example.com",
    "evil\u2028Bcc: thief@example.com",
    'evil" <thief@example.com>, "',
    "<thief@example.com>, ",
    "=?utf-8?q?=0ABcc=3A_thief=40example=2Ecom?=",
    "<a href=https://thief.example>press</a><script>",
    "{app.__class__} %(link)s {0} {{ 7 * 7 }}",
    "ยาว" * 13,
]


@pytest.fixture
def send(make_app: Callable[..., Flask], mail_server: MailServer) -> Callable[..., EmailMessage]:
    """Queue one notice with these facts, send it, and return what arrived."""

    def send(
        username: str = "budi", email: str = "budi@example.com", detail: str = "Google",
        user_agent: str = "curl/8", address: str = "192.0.2.1", **settings: Any,
    ) -> EmailMessage:  # fmt: skip
        app = make_app(**mail_server.settings(), **settings)
        with app.app_context():
            # As an older version, or another program, may have left them in the table.
            user = User(created_at=utcnow(), password=None, **with_key("username", username))
            user.email, user.email_key = with_key("email", email).values()
            db.session.add(user)
            db.session.flush()
            client = Client(address, user_agent, "en")
            outbox.notify(user, Kind.IDENTITY_CONNECTED, client, detail=detail)
            db.session.commit()
            sender.send_due()
        (mail,) = mail_server.mails
        return mail

    return send


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("field", ["username", "detail", "user_agent", "address"])
def test_what_people_and_providers_call_themselves(
    send: Callable[..., EmailMessage], mail_server: MailServer, field: str, text: str
) -> None:
    longest = {"username": 50, "detail": 80, "user_agent": 255, "address": 45}[field]
    assert_harmless(send(**{field: text[:longest]}), mail_server)


@pytest.mark.parametrize("text", [text for text in INJECTIONS if text.isprintable()])
def test_what_the_operator_calls_the_service(
    send: Callable[..., EmailMessage], mail_server: MailServer, text: str
) -> None:
    mail = send(app_name=text[:40], support_contact=text)
    assert_harmless(mail, mail_server)
    # The parser of Python 3.11 leaves a space between two encoded words.
    name = mail["From"].addresses[0].display_name.replace(" ", "")
    assert name == text[:40].replace(" ", "")


@pytest.mark.parametrize(
    "email",
    [
        "budi@example.com\r\nBcc: thief@example.com", "budi@example.com\nthief@example.com",
        "budi@example.com, thief@example.com", "budi@example.com>,<thief@example.com",
        "<thief@example.com> budi@example.com", "budi", "", "büdi@example.com", "a..b@example.com",
    ],
)  # fmt: skip
def test_an_address_that_is_none_gets_no_mail_and_stops_no_other(
    make_app: Callable[..., Flask], mail_server: MailServer, email: str
) -> None:
    app = make_app(**mail_server.settings())
    with app.app_context():
        for name, address in (("evil", email), ("budi", "budi@example.com")):
            user = User(created_at=utcnow(), password=None, **with_key("username", name))
            user.email, user.email_key = with_key("email", address).values()
            db.session.add(user)
            db.session.flush()
            outbox.notify(user, Kind.PASSWORD_CHANGED, Client("192.0.2.1", "curl/8", "en"))
            db.session.commit()
        assert sender.send_due() == 1
        assert mail_server.addresses == ["budi@example.com"]
        (left,) = db.session.query(Outbox)
        assert left.tries == 1


def assert_harmless(mail: EmailMessage, server: MailServer) -> None:
    assert set(mail.keys()) == HEADERS
    assert server.addresses == ["budi@example.com"]
    assert [each.addr_spec for each in mail["To"].addresses] == ["budi@example.com"]
    assert [each.addr_spec for each in mail["From"].addresses] == [FROM]
    parts = [part.get_content_type() for part in mail.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]
    page = mail.get_body(("html",))
    assert page is not None
    found = Tags()
    found.feed(page.get_content())
    assert found.names <= {
        "html", "head", "meta", "title", "style", "body", "table", "tr", "th", "td", "p", "h1", "a",
        "br",
    }  # fmt: skip
    assert all(link.startswith("http://127.0.0.1:5000") for link in found.links)
    assert "49" not in text_of(mail).replace("{{ 7 * 7 }}", "").split()


class Tags(HTMLParser):
    """The tags of a page, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url
