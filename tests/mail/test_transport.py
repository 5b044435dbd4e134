"""One mail and one server: what is taken, what is refused for good, what is tried again."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from app.config import Config
from app.mail.transport import FolderTransport, NotDeliveredError, SmtpTransport
from tests.support.environment import free_port
from tests.support.mail import FROM, LOGIN, Certificate, MailServer, make_certificate, scripted

# Of a mail, instead of a minute.
SECONDS = 0.5


def mail(number: str = "1.a") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = FROM, "budi@example.com"
    message["Date"] = "Thu, 26 Nov 2026 09:30:00 +0000"
    message["Message-ID"] = f"<{number}@example.com>"
    message.set_content("Selamat pagi.\n.\n..\n")
    return message


def send(server: dict[str, Any], **options: Any) -> None:
    SmtpTransport(Config(**server), **options).send(mail())


def refusal(server: dict[str, Any], **options: Any) -> tuple[str, bool]:
    """Why a mail is not taken, and whether for good."""
    with pytest.raises(NotDeliveredError) as raised:
        send(server, **options)
    return str(raised.value), raised.value.permanent


def at(port: int, tls: str = "none") -> dict[str, Any]:
    return {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_tls": tls, "mail_from": FROM}


# --- a server that takes it ----------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["starttls", "tls", "none"])
@pytest.mark.parametrize("needs_login", [True, False])
def test_a_mail_is_taken_whole(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, tls: str, needs_login: bool
) -> None:
    if tls == "none" and needs_login:
        return  # SMTP_TLS=none with a password is for the own machine: test_config
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    with MailServer(certificate, tls, needs_login).run() as server:
        send(server.settings())
    (taken,) = server.mails
    assert taken.get_content().replace("\r\n", "\n") == "Selamat pagi.\n.\n..\n"
    assert server.addresses == ["budi@example.com"]
    assert bool(server.logins) is needs_login


def test_the_dialogue_shows_all_but_what_logs_in(mail_server: MailServer) -> None:
    lines: list[str] = []
    SmtpTransport(Config(**mail_server.settings()), lines.append).send(mail())
    said = "\n".join(lines)
    assert "C: STARTTLS" in said
    assert "C: AUTH …" in said
    assert "S: 235" in said
    assert "S: 250 OK" in said
    assert [secret for secret in secrets_of_login() if secret in said] == []
    # Later versions of Python write commands in another case.
    assert f"c: mail from:<{FROM}>" in said.lower()
    assert "c: rcpt to:<budi@example.com>" in said.lower()


def secrets_of_login() -> list[str]:
    """What a dialogue could show of the login, in each of its ways (RFC 4616 and LOGIN)."""
    name, password = LOGIN
    clear = [name, password, f"\0{name}\0{password}"]
    return [password, *(b64encode(text.encode()).decode() for text in clear)]


# --- one that does not ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer", "reason", "for_good"),
    [
        ("RCPT", "450 4.2.1 try later", "recipient refused: 450", False),
        ("RCPT", "550 5.1.1 no such user", "recipient refused: 550", True),
        ("RCPT", "421 closing", "recipient refused: 421", False),
        ("DATA", "451 4.3.0 try later", "content refused: 451", False),
        ("DATA", "552 5.2.2 mailbox full", "content refused: 552", True),
        ("DATA", "554 5.7.1 looks like spam", "content refused: 554", True),
        ("MAIL", "552 too large", "SMTPSenderRefused: 552", False),
    ],
)
def test_a_refusal_is_for_good_if_it_is_of_the_address_or_the_content(
    mail_server: MailServer, command: str, answer: str, reason: str, for_good: bool
) -> None:
    mail_server.answers[command] = answer
    assert refusal(mail_server.settings()) == (reason, for_good)
    assert mail_server.mails == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"smtp_password": "a wrong one"}, "SMTPAuthenticationError: 535"),
        ({"smtp_username": "", "smtp_password": ""}, "SMTPSenderRefused: 530"),
        ({"smtp_tls": "tls"}, "SSLError"),
        ({"smtp_host": "nowhere.invalid"}, "gaierror"),
        # From Python 3.13 on a subclass of it.
        ({"smtp_host": "a" * 64 + ".example.com"}, "Unicode(Encode)?Error"),
    ],
)
def test_a_wrong_setting_loses_no_mail(
    mail_server: MailServer, change: dict[str, Any], reason: str
) -> None:
    said, for_good = refusal(mail_server.settings() | change)
    assert re.fullmatch(reason, said)
    assert not for_good


def test_a_server_whose_name_or_authority_is_another_gets_nothing(
    mail_server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("localhost", "mail.example.com"):
        (tmp_path / name).mkdir()
    another = make_certificate(tmp_path / "localhost", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(another.authority))
    assert refusal(mail_server.settings()) == ("SSLCertVerificationError", False)
    other_name = make_certificate(tmp_path / "mail.example.com", "mail.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(other_name.authority))
    for tls in ("starttls", "tls"):
        with MailServer(other_name, tls, needs_login=True).run() as server:
            assert refusal(server.settings()) == ("SSLCertVerificationError", False)
            assert not server.logins
            assert not server.mails


def test_a_server_without_starttls_gets_neither_password_nor_mail() -> None:
    # As somebody on the way makes it look, who strips STARTTLS (RFC 3207 §6).
    hello = b"250-stripped\r\n250 AUTH PLAIN LOGIN\r\n"
    lines: list[str] = []
    with scripted(b"220 hello\r\n", hello, b"454 no\r\n", b"454 no\r\n") as port:
        server = at(port, "starttls") | {"smtp_username": "a", "smtp_password": "b"}
        assert refusal(server, show=lines.append) == ("SMTPNotSupportedError", False)
    assert [line.partition(" ")[2].split()[0] for line in lines if line.startswith("C:")] == [
        "ehlo"
    ]


@pytest.mark.parametrize("answer", [b"454 later\r\n", b"502 never\r\n"])
def test_a_server_that_refuses_starttls_gets_nothing(answer: bytes) -> None:
    hello = b"250-hello\r\n250 STARTTLS\r\n"
    with scripted(b"220 hello\r\n", hello, answer) as port:
        reason, for_good = refusal(at(port, "starttls"))
    assert (reason, for_good) == (f"SMTPResponseException: {answer[:3].decode()}", False)


def test_what_comes_with_the_answer_to_starttls_is_not_believed() -> None:
    """No answer that was sent in clear text counts inside TLS (CVE-2011-0411, the other way)."""
    hello = b"250-hello\r\n250 STARTTLS\r\n"
    with scripted(b"220 hello\r\n", hello, b"220 go on\r\n250 injected\r\n") as port:
        reason, for_good = refusal(at(port, "starttls"), seconds=SECONDS)
    assert not for_good
    assert reason in {"SSLError", "TimeoutError"}


def test_a_server_that_is_down_loses_no_mail() -> None:
    assert refusal(at(free_port())) == ("ConnectionRefusedError", False)


@pytest.mark.parametrize("greeting", [b"554 no\r\n", b"421 busy\r\n", b"hello\r\n"])
def test_a_server_that_does_not_greet_loses_no_mail(greeting: bytes) -> None:
    with scripted(greeting) as port:
        reason, for_good = refusal(at(port), seconds=SECONDS)
    assert reason.startswith("SMTPConnectError")
    assert not for_good


SLOW: list[tuple[list[bytes], float | None]] = [
    ([], None),  # silent from the first byte
    ([b"220 hello\r\n"], None),
    ([b"220 hello\r\n", b"250 hello\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"], None),
    ([b"220 " + b"hello " * 1000], 0.02),  # a byte now and then, which no time-out of a read ends
    ([b"220-hello\r\n" * 1000], 0.02),
]


@pytest.mark.system
@pytest.mark.parametrize(("says", "every"), SLOW)
@pytest.mark.parametrize("tls", ["none", "tls"])
def test_a_silent_or_dripping_server_has_one_deadline(
    says: list[bytes], every: float | None, tls: str
) -> None:
    with scripted(*says, every=every) as port:
        began = time.monotonic()
        reason, for_good = refusal(at(port, tls), seconds=SECONDS)
        took = time.monotonic() - began
    assert not for_good
    # In place of the first message of TLS its bytes are no TLS at all, and refused at once.
    assert reason == "TimeoutError" or (tls == "tls" and says and reason == "SSLError")
    assert took < SECONDS + 1


@pytest.mark.system
def test_a_server_that_is_silent_after_taking_a_mail_has_taken_it() -> None:
    yes = [b"250 OK\r\n"] * 3
    with scripted(b"220 hello\r\n", *yes, b"354 go on\r\n", b"250 taken\r\n") as port:
        send(at(port), seconds=SECONDS)


# --- the folder ----------------------------------------------------------------------------------


def test_the_folder_shows_the_latest_first_keeps_some_and_replaces_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.mail.transport.KEPT_FILES", 11)
    folder = FolderTransport(tmp_path / "outbox")
    for number in range(1, 14):
        folder.send(mail(f"{number}.a"))
        folder.send(mail(f"{number}.a"))
    assert [file.read_bytes() for file in folder.files()] == [
        bytes(mail(f"{number}.a")) for number in range(13, 2, -1)
    ]
    assert {file.stat().st_mode & 0o777 for file in folder.files()} == {0o600}
    assert (tmp_path / "outbox").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_written_loses_no_mail(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(NotDeliveredError, match="the outbox cannot be written") as raised:
        FolderTransport(tmp_path / "outbox").send(mail())
    assert not raised.value.permanent
