"""The commands for mails: a test of the server, what waits, a link for somebody at the desk."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from app.mail import sender
from tests.support.application import DUMMY, assert_problem
from tests.support.databases import execute, select
from tests.support.environment import free_port
from tests.support.mail import FROM, LOGIN, MailServer, text_of

LATER = "'2101-01-01 00:00:00'"


def invoke(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=arguments)


def rows(app: Flask, *arguments: str) -> Any:
    result = invoke(app, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def reason(result: Result) -> str:
    """The one line in which a command is refused."""
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


# --- mail test -----------------------------------------------------------------------------------


def test_a_test_mail_goes_at_once_and_shows_the_dialogue(
    make_app: Callable[..., Flask], mail_server: MailServer
) -> None:
    app = make_app(**mail_server.settings(), app_name="Warung Kopi")
    for _ in range(2):
        result = invoke(app, "mail", "test", "budi@example.com")
        assert result.exit_code == 0, result.output
    said = result.stdout
    assert "C: STARTTLS" in said
    assert "S: 250 OK" in said
    assert said.endswith("localhost has taken the mail.\n")
    assert LOGIN[1] not in said
    first, second = mail_server.mails
    assert mail_server.addresses == ["budi@example.com"] * 2
    assert text_of(first).strip() == "This mail shows that Warung Kopi can send mail."
    assert first["Message-ID"] != second["Message-ID"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"smtp_password": "a wrong one"}, "SMTPAuthenticationError: 535"),
        ({"smtp_host": "127.0.0.1", "smtp_port": free_port()}, "ConnectionRefusedError"),
    ],
)
def test_a_test_mail_that_does_not_go_says_why_in_one_line(
    make_app: Callable[..., Flask], mail_server: MailServer, change: dict[str, Any], said: str
) -> None:
    app = make_app(**mail_server.settings() | change)
    assert reason(invoke(app, "mail", "test", "budi@example.com")) == (
        f"The mail was not sent: {said}"
    )


def test_a_test_mail_to_a_full_mailbox_shows_what_the_server_said(
    make_app: Callable[..., Flask], mail_server: MailServer
) -> None:
    mail_server.answers["DATA"] = "552 5.2.2 mailbox full"
    result = invoke(make_app(**mail_server.settings()), "mail", "test", "budi@example.com")
    assert "S: 552 5.2.2 mailbox full" in result.stdout
    assert reason(result) == "The mail was not sent: content refused: 552"


def test_a_test_mail_without_a_server_is_a_file(app: Flask) -> None:
    result = invoke(app, "mail", "test", "budi@example.com")
    assert result.exit_code == 0, result.output
    file = result.stdout.strip().rpartition(": ")[2]
    with open(file) as mail:  # noqa: PTH123 - as an operator copies it
        assert "To: budi@example.com" in mail.read()


@pytest.mark.parametrize("address", ["budi", "budi@", "a b@example.com", "a@example.com\nb"])
def test_a_test_mail_needs_an_address(app: Flask, address: str) -> None:
    assert reason(invoke(app, "mail", "test", address))


# --- mail queue, mail retry ----------------------------------------------------------------------


def test_what_waits_is_listed_and_tried_at_once(
    make_app: Callable[..., Flask], mail_server: MailServer, database_url: str
) -> None:
    app = make_app(**mail_server.settings())
    mail_server.answers["RCPT"] = "450 later"
    assert app.test_client().post("/register", data=DUMMY).status_code == 201
    asked = {"email": DUMMY["email"]}
    assert app.test_client().post("/api/auth/password/reset/", json=asked).status_code == 202
    with app.app_context():
        sender.send_due()
    found = rows(app, "mail", "queue")
    assert {row["kind"] for row in found} == {"email_verification", "password_reset"}
    assert [(row["tries"], row["error"]) for row in found] == [(1, "recipient refused: 450")] * 2
    assert all(row["created_at"] < row["due_at"] for row in found)
    assert DUMMY["email"] not in invoke(app, "mail", "queue").stdout

    mail_server.answers.clear()
    execute(database_url, f"UPDATE outbox SET due_at = {LATER}")
    execute(database_url, f"UPDATE outbox SET claimed_until = {LATER} WHERE kind LIKE 'email%'")
    assert rows(app, "mail", "retry") == [{"due": 1}]
    with app.app_context():
        assert sender.send_due() == 1
    (left,) = rows(app, "mail", "queue")
    assert left["kind"] == "email_verification"


def test_an_empty_queue_is_empty(app: Flask) -> None:
    assert rows(app, "mail", "queue") == []
    assert rows(app, "mail", "retry") == [{"due": 0}]


# --- users reset-link ----------------------------------------------------------------------------


def test_a_link_sets_one_new_password_and_is_mailed_to_nobody(
    app: Flask, client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    execute(database_url, "DELETE FROM outbox")
    (row,) = rows(app, "users", "reset-link", "DUMMYUSER")
    link = urlsplit(row["link"])
    assert (link.netloc, link.path) == ("127.0.0.1:5000", "/reset")
    assert row["expires_at"].endswith("Z")
    assert select(database_url, "SELECT * FROM outbox") == []
    sent = {"token": link.query.removeprefix("token="), "new_password": "hujan turun di bogor"}
    path = "/api/auth/password/reset/confirm/"
    assert client.post(path, json=sent).status_code == 200
    assert_problem(client.post(path, json=sent), 400, "invalid_grant")
    fields = dummy | {"password": sent["new_password"]}
    assert client.post("/login", data=fields).status_code == 200


def test_a_later_link_takes_the_place_of_an_earlier_one(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    links = [rows(app, "users", "reset-link", "dummyuser")[0]["link"] for _ in range(2)]
    first, second = (link.partition("token=")[2] for link in links)
    path, password = "/api/auth/password/reset/confirm/", "hujan turun di bogor"
    old = client.post(path, json={"token": first, "new_password": password})
    assert_problem(old, 400, "invalid_grant")
    new = client.post(path, json={"token": second, "new_password": password})
    assert new.status_code == 200


def test_no_link_is_made_for_an_account_that_could_not_use_it(
    app: Flask, dummy: dict[str, str]
) -> None:
    rows(app, "users", "disable", "dummyuser")
    assert reason(invoke(app, "users", "reset-link", "dummyuser")) == (
        "The account dummyuser is disabled."
    )
    assert "no account" in reason(invoke(app, "users", "reset-link", "nobody"))


def test_the_sender_s_address_is_the_setting_s(
    make_app: Callable[..., Flask], mail_server: MailServer
) -> None:
    app = make_app(**mail_server.settings())
    invoke(app, "mail", "test", "budi@example.com")
    assert mail_server.mails[0]["From"].addresses[0].addr_spec == FROM
