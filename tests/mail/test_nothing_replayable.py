"""What waits in the tables and what the log says opens no account (SECURITY 35, 73)."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import create_engine, inspect, text

from app.core import proofs
from app.core.client import Client
from app.core.errors import ProofRefusedError
from app.extensions import db
from app.mail import outbox, sender
from app.mail.kinds import Kind
from app.models import OneTime, User
from app.web.logs.formatter import JsonFormatter
from tests.support.mail import MailServer, code_in, text_of, token_in

PURPOSES = {
    Kind.PASSWORD_RESET: proofs.PASSWORD_RESET,
    Kind.EMAIL_VERIFICATION: proofs.EMAIL_VERIFICATION,
    Kind.CONFIRMATION: proofs.CONFIRMATION,
}


def everything(url: str) -> list[str]:
    """Every value of every column of every table, as text."""
    engine = create_engine(url)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        quote = connection.dialect.identifier_preparer.quote
        rows = [
            row
            for name in tables
            for row in connection.execute(text(f"SELECT * FROM {quote(name)}"))
        ]
    engine.dispose()
    assert {"one_time", "outbox", "user", "session", "counter"} <= set(tables)
    return [str(value) for row in rows for value in row if value is not None]


def test_no_table_and_no_log_holds_what_a_mail_carries(
    make_app: Callable[..., Flask], mail_server: MailServer, database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    app = make_app(**mail_server.settings(), ratelimit_enabled=True)
    client = app.test_client()
    person = {"username": "budi", "email": "budi@example.com", "password": "kucing oren di pasar"}
    assert client.post("/register", data=person).status_code == 201
    assert client.post("/login", json=person).status_code == 200
    asked = client.post("/api/auth/password/reset/", json={"email": person["email"]})
    assert asked.status_code == 202
    queue_the_others(app)
    before = everything(database_url)

    with app.app_context():
        expected = [(proofs.token_of(row), proofs.code_of(row)) for row in mailed()]
        assert sender.send_due() == len(Kind)
    kinds = len(mail_server.mails)
    assert kinds == len(Kind)
    after, log = everything(database_url), "\n".join(map(JsonFormatter().format, caplog.records))
    tokens = {token_in(mail) for mail in mail_server.mails if "?token=" in text_of(mail)}
    codes = {code_in(mail) for mail in mail_server.mails if "?token=" not in text_of(mail)}
    assert len(tokens) == len(Kind) - 1
    assert len(codes) == 1
    secrets = tokens | codes | {part for pair in expected for part in pair}
    for place in ("\n".join(before), "\n".join(after), log):
        assert [secret for secret in secrets if secret in place] == []
        assert "eyJ" not in place
    assert person["email"] not in log

    stored = sorted(set(before + after))
    with app.app_context():
        for value in stored:
            for purpose in (*proofs.LIFETIMES, "login_code"):
                assert not is_token(purpose, value), (purpose, value)
        for row in mailed():
            assert not any(letters(value) == proofs.code_of(row) for value in stored)


def queue_the_others(app: Flask) -> None:
    """Every kind of mail that the requests above have not queued."""
    client = Client("192.0.2.1", "curl/8", "en")
    with app.app_context():
        user = db.session.query(User).one()
        assert user.email is not None
        proof = proofs.create(proofs.CONFIRMATION, user.email, client, user)
        outbox.enqueue(Kind.CONFIRMATION, proof, client)
        for kind in Kind:
            if kind not in PURPOSES:
                outbox.notify(user, kind, client, detail="Google")
        db.session.commit()
        assert {mail.kind for mail in outbox.waiting()} == set(Kind)


def mailed() -> list[OneTime]:
    return db.session.query(OneTime).filter(OneTime.salt.is_not(None)).all()


def is_token(purpose: str, value: str) -> bool:
    try:
        proofs.find_by_token(purpose, value)
    except ProofRefusedError:
        return False
    return True


def letters(value: str) -> str:
    return "".join(character for character in value.upper() if character.isalpha())
