"""How a mail leaves: by SMTP (RFC 5321), or into a folder where no SMTP_HOST is set."""

from __future__ import annotations

import contextlib
import io
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flask import Flask

from app.config import Config, settings
from app.core import secret_files
from app.services import Service

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

FOLDER = "outbox"
# For one address of the server to answer at all, and for the whole of a mail.
CONNECT_SECONDS, MAIL_SECONDS = 10.0, 60.0
# Files that the folder keeps; the oldest go.
KEPT_FILES = 200
# RFC 5321 §4.2: the greeting, and where refusals for good begin; RFC 4954: more of the login.
_READY, _PERMANENT, _GO_ON = 220, 500, 334


class NotDeliveredError(Exception):
    """A mail was not taken.

    Attributes:
        permanent: the server will not take it later either.

    """

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Transport(Protocol):
    """Takes a mail, and answers for it from then on."""

    def send(self, message: EmailMessage) -> None:
        """Hand a mail over.

        Raises:
            NotDeliveredError: it was not taken.

        """


class SmtpTransport:
    """A mail server.

    Args:
        config: SMTP_HOST, SMTP_PORT, SMTP_USERNAME, SMTP_PASSWORD, SMTP_TLS.
        show: takes each line of the dialogue, without the password; None: nobody watches.
        seconds: what one mail may take, from the first connection to the last answer.

    """

    def __init__(
        self,
        config: Config,
        show: Callable[[str], None] | None = None,
        seconds: float = MAIL_SECONDS,
    ) -> None:
        self._config, self._show, self._seconds = config, show, seconds

    def send(self, message: EmailMessage) -> None:
        """Send a mail.

        Raises:
            NotDeliveredError: the server refused it (for good, if by 5xx to its address or
                content), or could not be used. The reason holds no address and no text of the
                server, so that it can be logged.

        """
        try:
            with self._connected() as smtp:
                smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, _),) = error.recipients.values()
            raise _refused("recipient refused", code, may_end=True) from None
        except smtplib.SMTPDataError as error:
            raise _refused("content refused", error.smtp_code, may_end=True) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(type(error).__name__, error.smtp_code, may_end=False) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotDeliveredError(type(_first(error)).__name__) from None

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A connection, ready to send."""
        config = self._config
        smtp = _Connection(config, self._context, self._seconds, self._show)
        try:
            code, text = smtp.connect(config.smtp_host, config.smtp_port)
            if code != _READY:
                raise smtplib.SMTPConnectError(code, text)
            if config.smtp_tls == "starttls":
                smtp.starttls(context=self._context)
            if config.smtp_username:
                smtp.login(config.smtp_username, config.smtp_password)
            yield smtp
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()  # the mail is taken, whatever this brings
        finally:
            smtp.close()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # Once: reading the authorities takes longer than sending a mail.
        return ssl.create_default_context()


def _refused(what: str, code: int, *, may_end: bool) -> NotDeliveredError:
    permanent = may_end and code >= _PERMANENT
    return NotDeliveredError(f"{what}: {code}", permanent=permanent)


def _first(error: BaseException) -> BaseException:
    """What smtplib made an error of its own of, such as a time-out."""
    return error.__context__ if isinstance(error.__context__, OSError) else error


class FolderTransport:
    """The folder `outbox` of the instance folder: a file for each mail, read at /outbox."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: EmailMessage) -> None:
        """Write a mail as a file; the same mail again replaces its file.

        Raises:
            NotDeliveredError: the folder cannot be written.

        """
        try:
            secret_files.replace(self.file_of(message), bytes(message))
            for old in self.files()[KEPT_FILES:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise NotDeliveredError(f"the outbox cannot be written: {error.strerror}") from None

    def file_of(self, message: EmailMessage) -> Path:
        """The file of a mail."""
        written: datetime = message["Date"].datetime
        number = str(message["Message-ID"]).strip("<>").partition(".")[0]
        # So that names sort as numbers do.
        return self._folder / f"{written:%Y%m%dT%H%M%SZ}-{number:0>10}.eml"

    def files(self) -> list[Path]:
        """The mails, the latest first."""
        return sorted(self._folder.glob("*.eml"), reverse=True)


transport = Service[Transport]("mail transport")


def init_app(app: Flask) -> None:
    """Choose how mails leave."""
    config = settings.of(app)
    if config.smtp_host:
        transport.bind(app, SmtpTransport(config))
    else:
        transport.bind(app, FolderTransport(config.instance_path / FOLDER))


class _Connection(smtplib.SMTP):
    """A connection with one deadline for all of it, however the server drips.

    smtplib's own time-out is one for each read of the socket, which a byte every few seconds never
    reaches.

    Args:
        config: the server, and whether TLS comes before the first word.
        context: the authorities that the server's certificate must come from.
        seconds: until the deadline.
        show: takes each line of the dialogue, without what logs in.

    """

    def __init__(
        self,
        config: Config,
        context: ssl.SSLContext,
        seconds: float,
        show: Callable[[str], None] | None,
    ) -> None:
        self._deadline = time.monotonic() + seconds
        super().__init__(local_hostname=config.mail_domain)
        self._host = config.smtp_host  # whose certificate it must be
        self._tls_context = context if config.smtp_tls == "tls" else None
        self._show, self._hides = show, False

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: there are none.

        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def send(self, s: ReadableBuffer | str) -> None:
        """Send bytes."""
        if self.sock:
            self.sock.settimeout(self.left())
        super().send(s)

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send a command."""
        if self._show is not None:
            self._hides = self._hides or cmd.upper() == "AUTH"
            self._show("C: AUTH …" if self._hides else f"C: {cmd} {args}".rstrip())
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer."""
        if self.file is None:
            self.file = io.BufferedReader(_Answers(self))
        code, text = super().getreply()
        if self._show is not None:
            self._hides = self._hides and code == _GO_ON
            for line in text.decode("utf-8", "replace").splitlines() or [""]:
                self._show(f"S: {code} {line}".rstrip())
        return code, text

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        # Each address of the host in turn, as long as there is time.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, address in found[:-1]:
            with contextlib.suppress(OSError):
                return self._connect(address)
        return self._connect(found[-1][-1])

    def _connect(self, address: tuple[Any, ...]) -> socket.socket:
        timeout = min(CONNECT_SECONDS, self.left())
        sock = socket.create_connection(address[:2], timeout)
        if self._tls_context is None:
            return sock
        sock.settimeout(self.left())
        return self._tls_context.wrap_socket(sock, server_hostname=self._host)


class _Answers(io.RawIOBase):
    """What a server sends, until the deadline."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what is there."""
        sock = self._connection.sock
        if sock is None:
            raise ConnectionError
        sock.settimeout(self._connection.left())
        return sock.recv_into(buffer)
