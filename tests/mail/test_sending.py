"""From the request that causes a mail to the mail server, whatever that server does."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.config import Config
from app.core.client import Client
from app.extensions import db
from app.mail import messages, outbox, sender
from app.mail.kinds import Kind
from app.mail.transport import SmtpTransport, transport
from app.models import Outbox, User, utcnow
from tests.support.application import assert_problem
from tests.support.databases import execute, select
from tests.support.environment import free_port, wait_until
from tests.support.mail import FROM, MailServer, code_in, link_in, scripted, text_of, token_in

PERSON = {"username": "budi", "email": "Budi@example.com", "password": "kucing oren di pasar"}
OTHER = {"username": "ani", "email": "ani@example.com", "password": "kucing oren di pasar"}
LONG_AGO = "'2001-01-01 00:00:00'"


@pytest.fixture
def mailing(make_app: Callable[..., Flask], mail_server: MailServer) -> Flask:
    """An application with two accounts, and nothing in its outbox."""
    app = make_app(**mail_server.settings())
    for person in (PERSON, OTHER):
        register(app, person)
    send(app)
    mail_server.mails.clear()
    mail_server.addresses.clear()
    return app


def register(app: Flask, person: dict[str, str]) -> None:
    answer = app.test_client().post("/register", data=person)
    assert answer.status_code == 201, answer.text


def ask_reset(app: Flask, email: str = PERSON["email"], agent: str = "curl/8") -> None:
    headers = {"Accept-Language": "en", "User-Agent": agent}
    sent = {"email": email}
    answer = app.test_client().post("/api/auth/password/reset/", json=sent, headers=headers)
    assert answer.status_code == 202, answer.text


def reset(app: Flask, **proof: str) -> Any:
    fields = proof | {"new_password": "hujan turun di bogor"}
    return app.test_client().post("/api/auth/password/reset/confirm/", json=fields)


def send(app: Flask) -> int:
    """Send what is due, as the thread of a worker does."""
    with app.app_context():
        return sender.send_due()


def due_now(url: str) -> None:
    execute(url, f"UPDATE outbox SET due_at = {LONG_AGO}, claimed_until = NULL")


def queue(url: str) -> list[tuple[Any, ...]]:
    return select(url, "SELECT kind, tries, error FROM outbox ORDER BY id")


def misbehave(app: Flask, port: int, seconds: float = 0.5) -> None:
    """Let an application send to another server, and a whole mail take no longer than this."""
    config = Config(smtp_host="127.0.0.1", smtp_port=port, smtp_tls="none", mail_from=FROM)
    transport.bind(app, SmtpTransport(config, seconds=seconds))


def behave(app: Flask, server: MailServer) -> None:
    transport.bind(app, SmtpTransport(Config(**server.settings())))


# --- what arrives --------------------------------------------------------------------------------


def test_a_reset_arrives_with_a_link_and_a_code_and_leaves_the_queue(
    mailing: Flask, mail_server: MailServer, database_url: str
) -> None:
    ask_reset(mailing, " bUDI@EXAMPLE.com ")
    assert send(mailing) == 1
    (mail,) = mail_server.mails
    assert mail_server.addresses == [PERSON["email"]]  # as the account has it, not as it was typed
    assert (mail["To"], mail["Auto-Submitted"]) == (PERSON["email"], "auto-generated")
    assert mail["From"].addresses[0].addr_spec == FROM
    assert re.fullmatch(r"<\d+\.[0-9a-f]{32}@example\.com>", mail["Message-ID"])
    age = utcnow() - mail["Date"].datetime.replace(tzinfo=None)
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert re.fullmatch(r"http://127.0.0.1:5000/reset\?token=[\w-]{43}", link_in(mail))
    assert mail.get_body(("html",)) is not None
    assert queue(database_url) == []
    assert send(mailing) == 0
    assert reset(mailing, email=PERSON["email"], code=code_in(mail)).status_code == 200


def test_a_mail_of_an_unknown_address_is_none(
    mailing: Flask, mail_server: MailServer, database_url: str
) -> None:
    ask_reset(mailing, "nobody@example.com")
    assert len(queue(database_url)) == 1
    assert send(mailing) == 0
    assert mail_server.mails == []
    assert queue(database_url) == []


def test_a_change_that_is_rolled_back_sends_nothing(
    mailing: Flask, mail_server: MailServer, database_url: str
) -> None:
    with mailing.app_context():
        user = db.session.query(User).filter_by(username="budi").one()
        outbox.notify(user, Kind.NEW_LOGIN, Client("192.0.2.1", "curl/8"))
        db.session.rollback()
    assert send(mailing) == 0
    assert mail_server.mails == []
    assert queue(database_url) == []


def test_no_connection_of_the_pool_is_held_while_the_server_is_asked(
    mailing: Flask, mail_server: MailServer, database_url: str
) -> None:
    held: list[object] = []

    def look() -> None:
        held.append(pool.checkedout())
        # Not even a row is locked.
        execute(database_url, "UPDATE outbox SET error = 'seen meanwhile'")

    with mailing.app_context():
        pool: Any = db.engine.pool
        if not hasattr(pool, "checkedout"):
            pytest.skip("no pool counts here")
    mail_server.meanwhile["RCPT"] = mail_server.meanwhile["DATA"] = look
    ask_reset(mailing)
    assert send(mailing) == 1
    assert held == [0, 0]


# --- what does not arrive ------------------------------------------------------------------------


TEMPORARY = [
    ("down", "ConnectionRefusedError"),
    ("silent", "TimeoutError"),
    ("dripping", "TimeoutError"),
    ("RCPT 450 later", "recipient refused: 450"),
    ("DATA 451 later", "content refused: 451"),
]


@pytest.mark.parametrize(("trouble", "error"), TEMPORARY)
def test_a_mail_that_cannot_go_now_waits_and_holds_no_other_up(
    mailing: Flask, mail_server: MailServer, *, database_url: str, caplog: pytest.LogCaptureFixture,
    trouble: str, error: str,
) -> None:  # fmt: skip
    ask_reset(mailing)
    ask_reset(mailing, OTHER["email"])
    command, _, answer = trouble.partition(" ")
    if trouble == "down":
        misbehave(mailing, free_port())
        assert send(mailing) == 0
    elif answer:
        mail_server.answers[command] = answer
        assert send(mailing) == 0
    else:
        drips = trouble == "dripping"
        says = [b"220 " + b"hello " * 1000] if drips else []
        with scripted(*says, every=0.02 if drips else None) as port:
            misbehave(mailing, port, seconds=0.2)
            assert send(mailing) == 0
    assert queue(database_url) == [("password_reset", 1, error)] * 2
    assert caplog.text.count("mail.postponed") == 2
    assert send(mailing) == 0  # neither is due yet

    mail_server.answers.clear()
    behave(mailing, mail_server)
    due_now(database_url)
    assert send(mailing) == 2
    assert sorted(mail_server.addresses) == sorted([PERSON["email"], OTHER["email"]])
    assert queue(database_url) == []


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("RCPT Budi@example.com", "550 no such user", "recipient refused: 550"),
        ("DATA", "552 mailbox full", "content refused: 552"),
    ],
)
def test_a_mail_that_is_refused_for_good_ends_and_another_goes(
    mailing: Flask, mail_server: MailServer, *, database_url: str, caplog: pytest.LogCaptureFixture,
    command: str, answer: str, error: str,
) -> None:  # fmt: skip
    ask_reset(mailing)
    mail_server.answers[command] = answer
    if command == "DATA":
        assert send(mailing) == 0
        mail_server.answers.clear()
    ask_reset(mailing, OTHER["email"])
    assert send(mailing) == 1
    assert mail_server.addresses == [OTHER["email"]]
    assert queue(database_url) == []
    (line,) = [record for record in caplog.records if record.getMessage() == "mail.abandoned"]
    assert vars(line)["facts"] == {"kind": "password_reset", "error": error, "outcome": "failure"}


def test_a_mail_that_cannot_be_written_holds_no_other_up(
    mailing: Flask, mail_server: MailServer, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ask_reset(mailing)
    execute(database_url, "UPDATE outbox SET kind = 'of_a_later_version'")
    ask_reset(mailing, OTHER["email"])
    assert send(mailing) == 1
    assert mail_server.addresses == [OTHER["email"]]
    assert queue(database_url) == [("of_a_later_version", 1, "ValueError")]
    assert "mail.sending_failed" in caplog.text


# --- tries and their end -------------------------------------------------------------------------


def waits(url: str) -> timedelta | None:
    """How long the one mail of the queue still waits, to the second; None: it is gone."""
    found = select(url, "SELECT due_at FROM outbox")
    return datetime.fromisoformat(str(found[0][0])) - utcnow() if found else None


def fail(app: Flask, url: str) -> timedelta | None:
    due_now(url)
    assert send(app) == 0
    return waits(url)


def is_about(wait: timedelta | None, seconds: int) -> bool:
    return wait is not None and timedelta(seconds=seconds - 30) <= wait <= timedelta(
        seconds=seconds
    )


def test_a_mail_is_tried_after_half_a_minute_then_less_and_less_often_for_a_day(
    mailing: Flask, database_url: str
) -> None:
    notice(mailing)
    misbehave(mailing, free_port())
    for seconds in (30, 120, 600, 1800, 3600, 3600):
        assert is_about(fail(mailing, database_url), seconds), seconds
    execute(database_url, f"UPDATE outbox SET created_at = {ago(hours=22, minutes=58)}")
    assert is_about(fail(mailing, database_url), 3600)
    execute(database_url, f"UPDATE outbox SET created_at = {ago(hours=23, minutes=1)}")
    assert fail(mailing, database_url) is None


def test_a_mail_is_not_tried_beyond_what_it_carries(
    mailing: Flask, mail_server: MailServer, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ask_reset(mailing)
    misbehave(mailing, free_port())
    for _ in range(3):
        assert fail(mailing, database_url)
    assert fail(mailing, database_url) is None  # after 30 minutes the link would be over
    assert caplog.text.count("mail.abandoned") == 1

    ask_reset(mailing)
    execute(database_url, f"UPDATE one_time SET expires_at = {ago(seconds=1)}")
    behave(mailing, mail_server)
    assert send(mailing) == 0
    assert mail_server.mails == []
    assert queue(database_url) == []


def notice(app: Flask, count: int = 1) -> None:
    with app.app_context():
        user = db.session.query(User).filter_by(username="budi").one()
        for _ in range(count):
            outbox.notify(user, Kind.NEW_LOGIN, Client("192.0.2.1", "curl/8"))
        db.session.commit()


def ago(**time: float) -> str:
    return f"'{utcnow() - timedelta(**time)}'"


# --- claims --------------------------------------------------------------------------------------


def test_a_claimed_mail_is_another_s_until_the_claim_ends(
    mailing: Flask, mail_server: MailServer, database_url: str
) -> None:
    notice(mailing)
    with mailing.app_context():
        first = outbox.claim()
        assert first is not None
        assert timedelta(minutes=4, seconds=50) < first.until - utcnow() <= timedelta(minutes=5)
        assert outbox.claim() is None
        assert outbox.retry_now() == 0
    execute(database_url, f"UPDATE outbox SET claimed_until = {ago(seconds=0)}")
    with mailing.app_context():
        second = outbox.claim()
        assert second is not None
        # The first process wakes after all, minutes later: the mail is not its own to put off.
        assert outbox.postpone(replace(first, until=first.until - outbox.CLAIM), "late")
        assert outbox.claim() is None
        assert outbox.postpone(second, "in time")
    assert queue(database_url) == [("new_login", 1, "in time")]


def test_a_mail_whose_commit_was_lost_goes_again_with_the_same_number_link_and_date(
    mailing: Flask, mail_server: MailServer, database_url: str
) -> None:
    ask_reset(mailing)
    # What is left if the process dies between the server's answer and the commit: a claimed row.
    with mailing.app_context():
        claim = outbox.claim()
        assert claim is not None
        found = outbox.load(claim.id)
        assert found is not None
        transport().send(messages.compose(*found))
    assert send(mailing) == 0
    execute(database_url, f"UPDATE outbox SET claimed_until = {ago(seconds=0)}")
    assert send(mailing) == 1
    first, second = mail_server.mails
    for name in ("Message-ID", "Date", "Subject", "To"):
        assert first[name] == second[name]
    assert text_of(first) == text_of(second)
    assert reset(mailing, token=token_in(first)).status_code == 200
    assert_problem(reset(mailing, token=token_in(second)), 400, "invalid_grant")


def test_two_mails_of_one_second_differ_in_their_number(
    mailing: Flask, mail_server: MailServer
) -> None:
    notice(mailing, 10)
    assert send(mailing) == 10
    assert len(set(mail_server.message_ids())) == 10


def test_the_queue_is_told_by_length_and_age(mailing: Flask, database_url: str) -> None:
    with mailing.app_context():
        assert outbox.length_and_age() == (0, 0.0)
    notice(mailing, 3)
    execute(database_url, f"UPDATE outbox SET created_at = {ago(hours=1)}")
    with mailing.app_context():
        length, age = outbox.length_and_age()
        assert length == 3
        assert 3600 <= age < 3660
        assert [mail.kind for mail in outbox.waiting()] == ["new_login"] * 3
        db.session.rollback()
        assert db.session.query(Outbox).count() == 3


# --- the thread ----------------------------------------------------------------------------------


def test_the_thread_sends_what_a_request_causes_without_waiting_for_its_next_look(
    mailing: Flask, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CHECK_SECONDS", 600)
    arrived = threading.Event()
    mail_server.meanwhile["QUIT"] = arrived.set
    thread = sender.Sender(mailing)
    thread.start()
    try:
        for person in (PERSON, OTHER):
            arrived.clear()
            ask_reset(mailing, person["email"])
            assert arrived.wait(30)
    finally:
        thread.stop()
    assert mail_server.addresses == [PERSON["email"], OTHER["email"]]


def test_the_thread_outlives_a_database_that_fails_at_the_end(
    mailing: Flask, mail_server: MailServer
) -> None:
    """The end of the context rolls back, and may be what finds the database gone."""
    ended = threading.Event()

    def fail(_: BaseException | None) -> None:
        if threading.current_thread().name == "mail" and not ended.is_set():
            ended.set()
            raise OperationalError("ROLLBACK", None, ConnectionError())

    mailing.teardown_appcontext_funcs.append(fail)
    thread = sender.Sender(mailing)
    thread.start()
    try:
        assert ended.wait(30)
        ask_reset(mailing, PERSON["email"])
        wait_until(lambda: mail_server.addresses, "the mail")
    finally:
        thread.stop()
    assert mail_server.addresses == [PERSON["email"]]
