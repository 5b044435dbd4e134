"""The thread that sends what waits in the outbox: one in each worker, of each replica."""

from __future__ import annotations

import threading

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app import audit
from app.audit import Event, Fault
from app.core.background import start_with_first_request
from app.core.database import release_connection
from app.mail import messages, outbox
from app.mail.outbox import Claim
from app.mail.transport import NotDeliveredError, transport

# Seconds between two looks at the outbox; a mail that this worker caused is sent at once.
CHECK_SECONDS = 5.0


def send_due() -> int:
    """Send every mail that is due and return how many were sent.

    Delivery is at least once: a mail goes out twice only if the process dies, or loses the
    database, between the server's answer and the commit, and then with the same Message-ID.
    """
    count = 0
    while (claim := outbox.claim()) is not None:
        count += _send(claim)
    return count


def _send(claim: Claim) -> bool:
    found = outbox.load(claim.id)
    if found is None:
        return False
    mail, proof, user = found
    kind, user_id = mail.kind, user.id
    try:
        message = messages.compose(mail, proof, user)
        release_connection()  # nothing is held while the server is asked
        transport().send(message)
    except NotDeliveredError as error:
        _put_off(claim, kind, str(error), for_good=error.permanent)
        return False
    except Exception as error:  # noqa: BLE001 - a mail that cannot be written holds no other up
        name = type(error).__name__
        audit.record(Fault.MAIL_SENDING_FAILED, error=name, exc_info=error)
        _put_off(claim, kind, name, for_good=False)
        return False
    outbox.drop(claim.id)
    audit.record(Event.MAIL_DELIVERED, kind=kind, user_id=user_id)
    return True


def _put_off(claim: Claim, kind: str, error: str, *, for_good: bool) -> None:
    """Record that a mail was not sent, and try it later unless the server refused it for good."""
    if for_good:
        outbox.drop(claim.id)
    postponed = not for_good and outbox.postpone(claim, error)
    audit.record(
        Fault.MAIL_POSTPONED if postponed else Fault.MAIL_ABANDONED, kind=kind, error=error
    )


class Sender:
    """The thread of a worker."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mail", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the mail that it is sending."""
        self._stopped.set()
        outbox.created.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            outbox.created.clear()
            try:
                with self._app.app_context():  # whose end uses the database as well
                    send_due()
            except SQLAlchemyError as error:
                audit.record(Fault.MAIL_SENDING_FAILED, error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - the next mails need a sender
                fault = type(error).__name__
                audit.record(Fault.MAIL_SENDING_FAILED, error=fault, exc_info=error)
            outbox.created.wait(CHECK_SECONDS)


def init_app(app: Flask) -> None:
    """Start the thread with the first request."""
    start_with_first_request(app, lambda: Sender(app).start())
