"""What each mail says, as text and as HTML, in the reader's language."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime
from typing import Any

from flask import current_app
from flask_babel import force_locale, format_timedelta
from flask_babel import gettext as _

from app.config import settings
from app.core import proofs
from app.core.devices import identify
from app.core.networks import network
from app.extensions import babel
from app.mail.kinds import Kind
from app.models import OneTime, Outbox, User
from app.text import _l, date_and_time

DEFAULT_LANGUAGE = "en"
_PAGES = {
    proofs.PASSWORD_RESET: "/reset",
    proofs.EMAIL_VERIFICATION: "/verify",
    proofs.UNDO: "/undo",
}


@dataclass(frozen=True, slots=True)
class Texts:
    """What is particular to one kind of mail; `{name}` stands for a value of the mail.

    Attributes:
        subject: its subject.
        lead: what happened, and to which account.
        button: what the link does; empty: there is no link.
        advice: what to do if it was not the reader.
        page: the page that the advice leads to; empty: to none.

    """

    subject: str
    lead: str
    button: str
    advice: str
    page: str = ""


_IT_WAS_NOT_ME = _l("This was not me")
_TAKE_BACK = _l(
    "Was it you? Then there is nothing to do. If not, press “This was not me”: every login ends, "
    "the password stops working, and you choose a new one."
)
TEXTS = {
    Kind.PASSWORD_RESET: Texts(
        _l("Choose a new password for {app}"),
        _l("You asked to choose a new password for your account {username}."),
        _l("Choose a new password"),
        _l(
            "Was it not you? Then do nothing, and your password stays as it is. Do not give the "
            "code to anyone."
        ),
    ),
    # Without the username: a stranger chose it, and a mail program may make a link of it.
    Kind.EMAIL_VERIFICATION: Texts(
        _l("Confirm your e-mail for {app}"),
        _l("This e-mail was given for an account at {app}. Confirm that it is yours."),
        _l("Confirm this e-mail"),
        _l(
            "Was it not you? Then do nothing, and the e-mail stays unconfirmed. Do not give the "
            "code to anyone."
        ),
    ),
    Kind.CONFIRMATION: Texts(
        _l("Your code for {app}"),
        _l("With this code you confirm a change to your account {username}."),
        "",
        _l(
            "Was it not you? Then somebody else is logged in to your account. Do not give the code "
            "to anyone, and choose a new password:"
        ),
        "/forgot",
    ),
    Kind.EMAIL_CHANGED: Texts(
        _l("The e-mail of your {app} account was changed"),
        _l("Your account {username} has another e-mail now. Mails no longer go to this one."),
        _IT_WAS_NOT_ME,
        _l(
            "Was it you? Then there is nothing to do. If not, press “This was not me”: your "
            "account gets this e-mail back, every login ends, and you choose a new password."
        ),
    ),
    Kind.PASSWORD_CHANGED: Texts(
        _l("The password of your {app} account was changed"),
        _l("Your account {username} has a new password."),
        _IT_WAS_NOT_ME,
        _TAKE_BACK,
    ),
    Kind.IDENTITY_CONNECTED: Texts(
        _l("{detail} was connected to your {app} account"),
        _l("You can now log in to your account {username} with {detail}."),
        _IT_WAS_NOT_ME,
        _TAKE_BACK,
    ),
    Kind.IDENTITY_DISCONNECTED: Texts(
        _l("{detail} was disconnected from your {app} account"),
        _l("You can no longer log in to your account {username} with {detail}."),
        _IT_WAS_NOT_ME,
        _TAKE_BACK,
    ),
    Kind.NEW_LOGIN: Texts(
        _l("New login to your {app} account"),
        _l("A device that is new to us has logged in to your account {username}."),
        _IT_WAS_NOT_ME,
        _TAKE_BACK,
    ),
}


def compose(mail: Outbox, proof: OneTime, user: User) -> EmailMessage:
    """Write a mail; the same row always gives the same Message-ID, link and code."""
    with force_locale(_language(mail, user)):
        return _compose(mail, proof, user)


def probe(address: str) -> EmailMessage:
    """The mail of the command `mail test`."""
    app_name = settings().app_name
    text = _l("This mail shows that %(app)s can send mail.", app=app_name)
    # Another number each time: a server may drop a mail whose number it has seen.
    message = _addressed(address, str(text), f"test.{secrets.token_hex(16)}")
    message["Date"] = localtime()
    message.set_content(f"{text}\n")
    return message


def link_of(proof: OneTime) -> str:
    """The address of the page that a proof's link opens."""
    return f"{settings().public_url}{_PAGES[proof.purpose]}?token={proofs.token_of(proof)}"


def _compose(mail: Outbox, proof: OneTime, user: User) -> EmailMessage:
    config, texts, language = settings(), TEXTS[Kind(mail.kind)], _language(mail, user)
    values = {"app": config.app_name, "username": user.username, "detail": mail.detail}
    context: dict[str, Any] = {
        "language": language,
        "app": config.app_name,
        "support": config.support_contact,
        "subject": str(texts.subject).format(**values),
        "lead": str(texts.lead).format(**values),
        "button": texts.button,
        "advice": texts.advice,
        "advice_link": config.public_url + texts.page if texts.page else "",
        "is_notice": proof.purpose == proofs.UNDO,
        "link": link_of(proof) if texts.button else "",
        "code": "" if proof.purpose == proofs.UNDO else _readable(proofs.code_of(proof)),
        "valid": _duration(proofs.LIFETIMES[proof.purpose]),
        "facts": _facts(proof),
        "public_url": config.public_url,
    }
    salt = hashlib.sha256((proof.salt or "").encode()).hexdigest()[:32]
    message = _addressed(proof.subject, context["subject"], f"{mail.id}.{salt}")
    message["Date"] = mail.created_at.replace(tzinfo=UTC)
    # Quoted-printable, since a server may take neither 8 bits nor lines as long as those of HTML.
    message.set_content(_rendered("mail/message.txt", context), cte="quoted-printable")
    page = _rendered("mail/message.html", context)
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    message["Content-Language"] = language  # before, it would have become the first part's own
    return message


def _facts(proof: OneTime) -> list[tuple[str, str]]:
    """When it was asked for, and by whom: labels and values."""
    label = _("Time") if proof.purpose == proofs.UNDO else _("Asked for")
    time = (label, f"{date_and_time(proof.created_at)} UTC")
    if not proof.address:  # a command
        return [time, (_("Done by"), _("the operator of this service"))]
    device = (_("Device"), str(identify(proof.user_agent).name))
    return [time, device, (_("Network"), network(proof.address))]


def _addressed(address: str, subject: str, number: str) -> EmailMessage:
    """A mail without content.

    Raises:
        ValueError: the address is none.
        MessageError: the same.

    """
    config = settings()
    message = EmailMessage(policy=SMTP)
    sender = Address(_one_line(config.app_name), addr_spec=config.sender)
    message["From"] = sender
    message["To"] = Address(addr_spec=address)
    message["Subject"] = _one_line(subject)
    message["Message-ID"] = f"<{number}@{sender.domain}>"
    # No out-of-office reply comes back (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    return message


def _one_line(text: str) -> str:
    """A text for a header, without line ends.

    Neither plain ones nor those in encoded words (RFC 2047), which the library decodes where it
    should only write, so that a header of the text's own would follow.
    """
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.replace("=?", "= ?").split())


def _language(mail: Outbox, user: User) -> str:
    known = {str(locale) for locale in babel.list_translations()} | {DEFAULT_LANGUAGE}
    wanted = (user.language, mail.language)
    return next((code for code in wanted if code in known), DEFAULT_LANGUAGE)


def _rendered(template: str, context: dict[str, Any]) -> str:
    # Not `render_template`, whose context processors need a request.
    return current_app.jinja_env.get_template(template).render(context)


def _readable(code: str) -> str:
    return f"{code[:4]}-{code[4:]}"


def _duration(lifetime: timedelta) -> str:
    return str(format_timedelta(lifetime, threshold=1.2))
