"""Verifying an e-mail: by the link or the code of a mail that went there."""

from __future__ import annotations

from app import audit
from app.accounts import lookup
from app.accounts.lookup import locked
from app.audit import Event
from app.core import proofs
from app.core.client import Client
from app.core.database import lock_user, release_connection, transaction
from app.core.errors import AlreadyVerifiedError, ProofRefusedError, ValidationError
from app.core.proofs import EMAIL_VERIFICATION, Proof
from app.core.unique import flush_unique
from app.extensions import db
from app.limits.rules import count_mail
from app.mail import outbox
from app.mail.kinds import Kind
from app.models import User, utcnow
from app.text import _l, with_key


def request_verification(user_id: int, client: Client) -> None:
    """Mail a link and a code to an account's e-mail, or to the one that is to take its place.

    More mails than the limit allows are not sent, and nothing tells so.

    Raises:
        AlreadyVerifiedError: the e-mail is proven.
        ValidationError: the account has no e-mail.
        NotFoundError: there is no such account.

    """
    address = _unproven(lookup.get(user_id))
    release_connection()
    if count_mail(EMAIL_VERIFICATION, address):
        _request(user_id, address, client)


@transaction()
def _request(user_id: int, address: str, client: Client) -> None:
    user = locked(user_id)
    if address not in (user.pending_email, user.email):  # another request was first
        db.session.rollback()
        return
    add_verification(user, address, client)
    db.session.commit()
    audit.record(Event.MAIL_REQUESTED, user_id=user_id, kind=Kind.EMAIL_VERIFICATION)


def request_missing_verification(user_id: int, client: Client) -> None:
    """Mail a link and a code to a person whose password was right, unless one is still good.

    An imported account was sent none, and a new one's may have expired.
    """
    is_pending = proofs.is_pending(EMAIL_VERIFICATION, user_id)
    release_connection()
    if not is_pending:
        request_verification(user_id, client)


def add_verification(user: User, address: str, client: Client) -> None:
    """Add the mail in the caller's transaction, in which the account's row is locked."""
    proof = proofs.create(EMAIL_VERIFICATION, address, client, user)
    outbox.enqueue(Kind.EMAIL_VERIFICATION, proof, client)


@transaction()
def verify(proof: Proof, client: Client) -> int:
    """Count an e-mail as proven; one that was pending becomes the account's. Return the account.

    Raises:
        ProofRefusedError: the proof is used, or its address is no longer the account's.
        EmailTakenError: another account has proven the address meanwhile.

    """
    user = lock_user(proof.user_id)
    if user is None or not proofs.use(proof):
        db.session.rollback()
        raise ProofRefusedError
    changed = proof.is_about(user.pending_email) and not proof.is_about(user.email)
    if not proof.is_about(user.email) and not (changed and proof.epoch == user.auth_epoch):
        db.session.rollback()
        raise ProofRefusedError
    if changed:
        _change(user, proof.email, client)
    user.email_verified_at, user.pending_email, user.must_verify_email = utcnow(), None, False
    db.session.commit()
    if changed:
        audit.record(Event.EMAIL_CHANGED, user_id=user.id)
    audit.record(Event.EMAIL_VERIFIED, user_id=user.id)
    return user.id


def _change(user: User, email: str, client: Client) -> None:
    """Change the e-mail to a proven one, and tell the former address."""
    former, is_proven = user.email, user.email_verified_at is not None
    with flush_unique(None, email, own_id=user.id):
        for column, value in with_key("email", email).items():
            setattr(user, column, value)
        user.auth_epoch += 1
        db.session.flush()
    if former is not None:
        outbox.notify_of_email(user, former, client, is_proven=is_proven)


def _unproven(user: User) -> str:
    if user.pending_email is not None:
        return user.pending_email
    if user.email is None:
        raise ValidationError({"email": [_l("Your account has no e-mail. Add one first.")]})
    if user.email_verified_at is not None:
        raise AlreadyVerifiedError
    return user.email
