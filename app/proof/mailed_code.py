"""A code by mail, with which the person of an account without a password confirms a change."""

from __future__ import annotations

from app import audit
from app.audit import Event
from app.core import proofs
from app.core.database import lock_user, release_connection, transaction
from app.core.errors import ProofRefusedError, ReauthenticationRequiredError
from app.core.proofs import CONFIRMATION, Proof
from app.extensions import db
from app.limits.attempts import ConfirmationAttempt
from app.limits.rules import count_mail
from app.mail import outbox
from app.mail.kinds import Kind
from app.models import User, utcnow
from app.proof.confirmation import record_proof
from app.sessions.origin import Actor


def is_possible(user_id: int) -> bool:
    """Tell whether an account has no password to confirm with, and a proven e-mail."""
    user = db.session.get(User, user_id, populate_existing=True)
    release_connection()
    return user is not None and _address(user) is not None


def send_code(actor: Actor) -> None:
    """Mail a code; more mails than the limit allows are not sent, and nothing tells so.

    Raises:
        ReauthenticationRequiredError: the account has a password, or no proven e-mail.

    """
    address = _address_of(actor.user_id)
    if count_mail(CONFIRMATION, address):
        _send(actor, address)


@transaction()
def _send(actor: Actor, address: str) -> None:
    user = lock_user(actor.user_id)
    if user is not None and _address(user) == address:
        proof = proofs.create(CONFIRMATION, address, actor.client, user)
        outbox.enqueue(Kind.CONFIRMATION, proof, actor.client)
    db.session.commit()
    audit.record(Event.MAIL_REQUESTED, user_id=actor.user_id, kind=Kind.CONFIRMATION)


def confirm_by_code(actor: Actor, code: str) -> None:
    """Count the code of a mail as a proof of the person in this session, from now on.

    Raises:
        ProofRefusedError: the code is wrong, used, expired or tried too often.
        ReauthenticationRequiredError: the account has a password, or no proven e-mail.
        TokenRevokedError: the session has ended.
        TooManyRequestsError: too many confirmations failed in this session.

    """
    address = _address_of(actor.user_id)
    guess = ConfirmationAttempt(actor.session_id)
    guess.check()
    try:
        _use(actor, proofs.find_by_code(CONFIRMATION, address, code))
    except ProofRefusedError:
        audit.record(Event.PROOF_REFUSED, kind=CONFIRMATION)
        guess.record_failure()
        raise


@transaction()
def _use(actor: Actor, proof: Proof) -> None:
    lock_user(actor.user_id)
    if proof.user_id != actor.user_id or not proofs.use(proof):
        db.session.rollback()
        raise ProofRefusedError
    record_proof(actor.session_id, utcnow())
    db.session.commit()


def _address_of(user_id: int) -> str:
    user = db.session.get(User, user_id, populate_existing=True)
    address = _address(user) if user is not None else None
    release_connection()
    if address is None:
        raise ReauthenticationRequiredError
    return address


def _address(user: User) -> str | None:
    proven = user.password is None and user.email_verified_at is not None
    return user.email if proven else None
