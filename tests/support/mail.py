"""Mail servers: a real one with TLS and logins, and some that do not do as they should."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# It tells of every command, with addresses that the log of the service must not have.
logging.getLogger("mail.log").setLevel(logging.ERROR)

LOGIN = ("loguserapp", "a password of the mail server")
FROM = "login@example.com"


@dataclass
class MailServer:
    """An SMTP server on this machine, which keeps what it takes.

    Attributes:
        tls: `starttls`, `tls` or `none`.
        certificate: what it shows; its file `authority` is what clients must know.
        needs_login: whether it takes mails only from `LOGIN`.
        answers: what it says instead of yes, by the command: `MAIL`, `RCPT`, `RCPT address`
            or `DATA`.
        mails: what it took.
        addresses: whom to, in the same order.
        meanwhile: called, in the server's thread, before the command of its name is answered.

    """

    certificate: Certificate
    tls: str = "starttls"
    needs_login: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    port: int = 0

    def settings(self) -> dict[str, Any]:
        """What an application is told of it."""
        login = {"smtp_username": LOGIN[0], "smtp_password": LOGIN[1]} if self.needs_login else {}
        return {
            "smtp_host": "localhost", "smtp_port": self.port, "smtp_tls": self.tls,
            "mail_from": FROM,
        } | login  # fmt: skip

    @contextmanager
    def run(self) -> Iterator[MailServer]:
        """Serve in a thread of its own."""
        loop = asyncio.new_event_loop()
        context = self.certificate.context()
        options: dict[str, Any] = {"hostname": "localhost", "loop": loop}
        if self.tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if self.needs_login:
            # aiosmtpd does not count TLS from the first byte as TLS.
            from_begin = self.tls != "starttls"
            options |= {"authenticator": self._knows, "auth_required": not from_begin}
            options |= {"auth_require_tls": not from_begin}

        async def listen() -> asyncio.Server:
            return await loop.create_server(
                lambda: SMTP(self, **options), "127.0.0.1", self.port,
                ssl=context if self.tls == "tls" else None,
            )  # fmt: skip

        server = loop.run_until_complete(listen())
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_end(server), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def message_ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]

    # What aiosmtpd asks of a handler.

    async def handle_MAIL(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options += options
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        self._begin("RCPT")
        refusal = self.answers.get("RCPT") or self.answers.get(f"RCPT {address}")
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self._begin("DATA")
        if "DATA" not in self.answers:
            self.mails.append(message_from_bytes(envelope.content, policy=default))
            self.addresses += envelope.rcpt_tos
        return self.answers.get("DATA", "250 OK")

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        self._begin("QUIT")
        return "221 Bye"

    def _begin(self, command: str) -> None:
        self.meanwhile.get(command, lambda: None)()

    def _knows(
        self, _server: Any, _session: Any, _envelope: Any, how: str, sent: Any
    ) -> AuthResult:
        given = (sent.login.decode(), sent.password.decode())
        self.logins.append(how)
        return AuthResult(success=given == LOGIN, handled=False)


async def _end(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def scripted(*says: bytes, every: float | None = None) -> Iterator[int]:
    """Serve one port with a server that says the first thing to each client and one more to each
    line; then it is silent. `every` is between its bytes, in seconds; None: all at once.
    """
    ended = threading.Event()

    def serve(client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            lines = client.makefile("rb")
            for text in says:
                for byte in [text] if every is None else [bytes([b]) for b in text]:
                    client.sendall(byte)
                    if every is not None and ended.wait(every):
                        return
                lines.readline()
            ended.wait()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                    threads[-1].start()

        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and key, and that of the authority that signed it, as files."""

    server: Path
    authority: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server)
        return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """The certificate of `localhost` and 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture
def mail_server(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server with STARTTLS and logins, whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    with MailServer(certificate, needs_login=True).run() as server:
        yield server


def make_certificate(folder: Path, name: str) -> Certificate:
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = _name("authority of a test")
    root = _builder(root_name, root_name, root_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    ).add_extension(_usage(signs=True), critical=True).add_extension(
        x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False
    ).sign(root_key, hashes.SHA256())  # fmt: skip
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    signed = _builder(_name(name), root_name, key.public_key()).add_extension(
        x509.SubjectAlternativeName(names if name == "localhost" else names[:1]), critical=False
    ).add_extension(_usage(signs=False), critical=True).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
    ).sign(root_key, hashes.SHA256())  # fmt: skip
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = Certificate(folder / "server.pem", folder / "authority.pem")
    made.server.write_bytes(private + signed.public_bytes(pem))
    made.authority.write_bytes(root.public_bytes(pem))
    return made


def link_in(mail: EmailMessage) -> str:
    """The link of a mail, from its text."""
    found = re.search(r"https?://\S+\?token=\S+", text_of(mail))
    assert found, text_of(mail)
    return found[0]


def token_in(mail: EmailMessage) -> str:
    return link_in(mail).partition("token=")[2]


def code_in(mail: EmailMessage) -> str:
    found = re.search(r"\b[B-Z]{4}-[B-Z]{4}\b", text_of(mail))
    assert found, text_of(mail)
    return found[0]


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: Any) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
