"""Every kind of mail in both languages, as it comes out of the outbox folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

from app.accounts import login, lookup, password_change
from app.core import proofs
from app.extensions import db
from app.mail import outbox
from app.mail.kinds import Kind
from app.sessions.origin import Actor, Origin
from app.social import linking
from app.social.identities import ExternalIdentity
from tests.support.application import DUMMY, bearer
from tests.support.environment import missing
from tests.support.inbox import CODE, LINK, Markup, html_of, send_all, text_of

PUBLIC_URL = "https://login.example.com"
PHONE = "Mozilla/5.0 (Linux; Android 14; SM-A556E) Chrome/140.0.0.0 Mobile Safari/537.36"
SETTINGS = {
    "public_url": PUBLIC_URL, "mail_from": "login@example.com", "app_name": "Warung Sari",
    "support_contact": "help@example.com",
    "facebook_client_id": "app", "facebook_client_secret": "secret",
}  # fmt: skip
NOTICES = {
    Kind.EMAIL_CHANGED, Kind.PASSWORD_CHANGED, Kind.IDENTITY_CONNECTED, Kind.IDENTITY_DISCONNECTED,
    Kind.NEW_LOGIN,
}  # fmt: skip
# By language: how long each is good, what the device is called, and the mark within a time.
WORDS = {
    "en": {"30": "30 minutes", "24": "24 hours", "10": "10 minutes", "7": "7 days",
           "device": "Chrome on Android", "clock": ":"},
    "id": {"30": "30 menit", "24": "24 jam", "10": "10 menit", "7": "7 hari",
           "device": "Chrome di Android", "clock": "."},
}  # fmt: skip
VALID = {Kind.PASSWORD_RESET: "30", Kind.EMAIL_VERIFICATION: "24", Kind.CONFIRMATION: "10"}
# Caused before the e-mail was changed, or sent to the former one.
OLD_ADDRESS = {Kind.PASSWORD_RESET, Kind.NEW_LOGIN, Kind.EMAIL_CHANGED}
PASSWORD = "a cat on a cushion"
TRACKING = {"Return-Receipt-To", "Disposition-Notification-To", "X-Confirm-Reading-To"}
# A mail that every copy of SpamAssassin must call spam, so that its rules are known to be there.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@dataclass(frozen=True)
class Mailbox:
    """Every kind of mail in one language."""

    language: str
    mails: dict[Kind, EmailMessage]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


class Phone:
    """A person's phone, and the mails that what it does causes."""

    def __init__(self, app: Flask, instance: Path, language: str) -> None:
        self.app, self._instance = app, instance
        self._headers = {"Accept-Language": language, "User-Agent": PHONE}
        self._sent = 0
        self.mails: dict[Kind, EmailMessage] = {}

    def send(
        self, method: str, path: str, body: object, token: str = "", address: str = "203.0.113.7"
    ) -> dict[str, str]:
        """Send a request as a program does."""
        answer = self.app.test_client().open(
            path, method=method, json=body, environ_base={"REMOTE_ADDR": address},
            headers=self._headers | (bearer(token) if token else {}),
        )  # fmt: skip
        assert answer.status_code < 300, answer.text
        found: dict[str, str] = answer.get_json()
        return found

    def mailed(self, *kinds: Kind) -> None:
        """Send what waits: these kinds in this order."""
        new = send_all(self.app, self._instance)[self._sent :]
        self._sent += len(new)
        self.mails |= dict(zip(kinds, new, strict=True))


@pytest.fixture(params=["en", "id"])
def mailbox(
    request: pytest.FixtureRequest, make_app: Callable[..., Flask], tmp_path: Path
) -> Mailbox:
    app = make_app(**SETTINGS)
    phone = Phone(app, tmp_path / "instance", request.param)
    phone.send("POST", "/register", DUMMY)
    phone.mailed(Kind.EMAIL_VERIFICATION)
    phone.send("POST", "/api/auth/password/reset/", {"email": DUMMY["email"]})
    phone.mailed(Kind.PASSWORD_RESET)
    token = phone.send("POST", "/login", DUMMY)["access_token"]
    phone.send("POST", "/login", DUMMY, address="2001:db8:1:2:3::4")
    phone.mailed(Kind.NEW_LOGIN)
    proof = {"current_password": DUMMY["password"]}
    phone.send("PATCH", "/api/auth/me/", proof | {"email": "new@example.com"}, token)
    phone.mailed(Kind.EMAIL_VERIFICATION, Kind.EMAIL_CHANGED)
    phone.send("POST", "/api/auth/password/", proof | {"new_password": PASSWORD}, token)
    phone.mailed(Kind.PASSWORD_CHANGED)
    with app.app_context():
        here = Origin("203.0.113.7", PHONE, language=lambda: request.param)
        grant = login.log_in(DUMMY["username"], PASSWORD, here)
        actor = Actor(grant.user_id, grant.session_id, here.client)
        facebook = ExternalIdentity("facebook", "https://www.facebook.com", "1", None, False)
        identity = linking.connect(actor, grant.epoch, facebook).identity_id
        phone.mailed(Kind.IDENTITY_CONNECTED)
        linking.disconnect(actor, identity, PASSWORD)
        phone.mailed(Kind.IDENTITY_DISCONNECTED)
        with_code = proofs.create(
            proofs.CONFIRMATION, "new@example.com", here.client, lookup.locked(grant.user_id)
        )
        outbox.enqueue(Kind.CONFIRMATION, with_code, here.client)
        db.session.commit()
        phone.mailed(Kind.CONFIRMATION)
    assert phone.mails.keys() == set(Kind)
    return Mailbox(request.param, phone.mails)


def test_every_mail_is_small_and_refers_to_nothing_outside(mailbox: Mailbox) -> None:
    for kind, mail in mailbox.mails.items():
        assert len(bytes(mail)) < 20_000, kind
        types = [part.get_content_type() for part in mail.walk()]
        assert types == ["multipart/alternative", "text/plain", "text/html"], kind
        markup = Markup(html_of(mail))
        assert markup.faults == [], kind
        assert all(link == PUBLIC_URL or link.startswith(f"{PUBLIC_URL}/") for link in markup.links)


def test_both_parts_have_the_same_links_and_nothing_that_tracks(mailbox: Mailbox) -> None:
    """A link has the token and no other argument: nothing says which mail was opened by whom."""
    for kind, mail in mailbox.mails.items():
        links = Markup(html_of(mail)).links
        assert sorted(links) == sorted(LINK.findall(text_of(mail))), kind
        for link in links:
            assert re.fullmatch(r"(/(reset|verify|undo)\?token=[\w-]{43}|/forgot)?",
                                link.removeprefix(PUBLIC_URL)), link  # fmt: skip


def test_the_headers_are_those_of_an_automatic_mail_in_a_language(mailbox: Mailbox) -> None:
    for kind, mail in mailbox.mails.items():
        assert mail["From"].addresses == (Address("Warung Sari", "login", "example.com"),)
        assert re.fullmatch(r"<\d+\.[0-9a-f]{32}@example\.com>", mail["Message-ID"])
        assert abs(datetime.now(UTC) - mail["Date"].datetime) < timedelta(minutes=5)
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Content-Language"] == mailbox.language
        assert f'<html lang="{mailbox.language}">' in html_of(mail)
        assert not {"Reply-To", "Return-Receipt-To", "Disposition-Notification-To"} & set(
            mail.keys()
        )
        to = DUMMY["email"] if kind in OLD_ADDRESS else "new@example.com"
        assert mail["To"] == to, kind


def test_both_parts_say_who_asked_how_long_it_is_good_and_whom_to_ask(mailbox: Mailbox) -> None:
    words = WORDS[mailbox.language]
    for kind, mail in mailbox.mails.items():
        shown = Markup(html_of(mail)).text
        for part in (text_of(mail), shown):
            assert words[VALID.get(kind, "7")] in part, kind
            assert words["device"] in part
            network = "2001:db8:1:2::/64" if kind == Kind.NEW_LOGIN else "203.0.113.7"
            assert network in part
            assert re.search(rf"\d+ \w+ 20\d\d, \d\d{re.escape(words['clock'])}\d\d UTC", part)
            assert "help@example.com" in part
            assert not re.search(r"[{}%]|None|&\w+;", part), kind


def test_a_mail_that_asks_has_a_code_and_a_notice_has_none(mailbox: Mailbox) -> None:
    for kind, mail in mailbox.mails.items():
        parts = (text_of(mail), Markup(html_of(mail)).text)
        found = [CODE.findall(part) for part in parts]
        assert found[0] == found[1]
        assert len(found[0]) == (0 if kind in NOTICES else 1), kind


@pytest.mark.system
def test_no_mail_is_taken_for_spam(mailbox: Mailbox, tmp_path: Path) -> None:
    for kind, score in scores_of(mailbox.mails, tmp_path).items():
        assert score < 1, kind


@pytest.mark.system
def test_spam_is_taken_for_spam(tmp_path: Path) -> None:
    """So that the rules of this machine's SpamAssassin are known to be there."""
    spam = EmailMessage()
    spam["Subject"] = "VIAGRA"
    spam.set_content(GTUBE)
    assert scores_of({Kind.NEW_LOGIN: spam}, tmp_path)[Kind.NEW_LOGIN] > 100


def scores_of(mails: dict[Kind, EmailMessage], folder: Path) -> dict[Kind, float]:
    """What SpamAssassin says of each, by its local rules."""
    if shutil.which("spamassassin") is None:
        missing("SpamAssassin")
    box = folder / "mbox"
    with box.open("wb") as file:
        for mail in mails.values():
            content = bytes(mail).replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
            file.write(b"From login@example.com Thu Nov 26 23:36:00 2026\n" + content + b"\n")
    # One random token in ten thousand looks like the name of a Bitcoin wallet.
    (folder / "user_prefs").write_text("score PDS_BTC_ID 0\n")
    prefs = f"--prefspath={folder / 'user_prefs'}"
    checked = subprocess.run(
        ["spamassassin", "--local", "--test-mode", prefs, "--mbox", box],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.findall(r"^X-Spam-Status: \w+, score=(-?[\d.]+)", checked.stdout, re.MULTILINE)
    return dict(zip(mails, map(float, found), strict=True))


AWKWARD = 'Budi & "Sari" <b> {app} %(app)s'


def test_a_name_with_marks_of_html_is_text_in_both_parts(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    settings = SETTINGS | {"app_name": AWKWARD, "support_contact": "<script>&amp;"}
    phone = Phone(make_app(**settings), tmp_path / "instance", "en")
    phone.send("POST", "/register", DUMMY)
    phone.mailed(Kind.EMAIL_VERIFICATION)
    mail = phone.mails[Kind.EMAIL_VERIFICATION]
    markup = Markup(html_of(mail))
    assert markup.faults == []
    for part in (text_of(mail), markup.text):
        assert AWKWARD in part
        assert "<script>&amp;" in part
    assert mail["Subject"] == f"Confirm your e-mail for {AWKWARD}"
    assert mail["From"].addresses[0].display_name == AWKWARD


def test_what_an_operator_does_is_told_as_done_by_the_operator(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    phone = Phone(make_app(**SETTINGS), tmp_path / "instance", "id")
    phone.send("POST", "/register", DUMMY)
    phone.mailed(Kind.EMAIL_VERIFICATION)
    with phone.app.app_context():
        password_change.set_password(1, PASSWORD)
    phone.mailed(Kind.PASSWORD_CHANGED)
    mail = phone.mails[Kind.PASSWORD_CHANGED]
    for part in (text_of(mail), Markup(html_of(mail)).text):
        assert "pengelola layanan ini" in part
        assert "Chrome" not in part
        assert "Jaringan" not in part


def test_a_mail_is_in_the_language_of_the_account_whoever_asks(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app, instance = make_app(**SETTINGS), tmp_path / "instance"
    phone = Phone(app, instance, "id")
    phone.send("POST", "/register", DUMMY)
    stranger = Phone(app, instance, "en")
    stranger.send("POST", "/api/auth/password/reset/", {"email": DUMMY["email"]})
    assert [mail["Content-Language"] for mail in send_all(app, instance)] == ["id", "id"]
