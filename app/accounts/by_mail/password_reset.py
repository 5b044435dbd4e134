"""A new password for a person who has forgotten it: by the link or the code of a mail."""

from __future__ import annotations

from sqlalchemy import delete

from app import audit
from app.accounts import lookup
from app.audit import Event
from app.core import proofs
from app.core.client import Client
from app.core.database import lock_user, release_connection, transaction
from app.core.errors import NotFoundError, ProofRefusedError, ValidationError
from app.core.proofs import PASSWORD_RESET, Proof
from app.extensions import db
from app.limits.rules import count_mail
from app.mail import messages, outbox
from app.mail.kinds import Kind
from app.models import Identity, User, utcnow
from app.passwords import hashing
from app.passwords.hashing_pool import FlowKey
from app.passwords.policy import weakness
from app.sessions import ending


def request_reset(email: str, client: Client) -> None:
    """Ask for a mail to an e-mail, which may have no account.

    One row is written and no account is looked up, so that neither the answer nor its time tells
    whether there is one; the sender looks (app/mail/outbox.py). More mails than the limit allows
    are not sent, and nothing tells so either.
    """
    if count_mail(PASSWORD_RESET, email):
        _request(email, client)


@transaction()
def _request(email: str, client: Client) -> None:
    proof = proofs.create(PASSWORD_RESET, email, client)
    outbox.enqueue(Kind.PASSWORD_RESET, proof, client)
    db.session.commit()
    audit.record(Event.MAIL_REQUESTED, user_id=None, kind=Kind.PASSWORD_RESET)


@transaction()
def reset_link(user_id: int) -> str:
    """Make a reset for an operator to hand out, and return its link: nothing is mailed.

    Raises:
        NotFoundError: there is no such account, or it is disabled.

    """
    user = lookup.locked(user_id)
    if user.disabled_at is not None:
        db.session.rollback()
        raise NotFoundError
    proof = proofs.create(PASSWORD_RESET, "", Client(), user)  # no mail, and so of no address
    link = messages.link_of(proof)
    db.session.commit()
    audit.record(Event.MAIL_REQUESTED, user_id=user_id, kind=Kind.PASSWORD_RESET)
    return link


def reset_password(proof: Proof, new_password: str, client: Client) -> None:
    """Set a new password, and end every session. The e-mail of a mailed proof is proven by it.

    If it was not proven before, somebody else may have created the account: external identities
    that were connected until now are removed (account pre-hijacking).

    Raises:
        ValidationError: the password is easy to guess for one who knows the account.
        ProofRefusedError: the proof is used, or the account has changed since.
        BusyError: too many passwords wait to be hashed.

    """
    _refuse_guessable(proof, new_password)
    hashed = hashing.hash_password(new_password, FlowKey(client.address, str(proof.user_id)))
    _store(proof, hashed, client)


@transaction()
def _store(proof: Proof, hashed: str, client: Client) -> None:
    user = lock_user(proof.user_id)
    if user is None or not _is_good(proof, user) or not proofs.use(proof):
        db.session.rollback()
        raise ProofRefusedError
    if proof.email and user.email_verified_at is None:
        db.session.execute(delete(Identity).where(Identity.user_id == user.id))
        user.email_verified_at, user.must_verify_email = utcnow(), False
    user.password = hashed
    user.auth_epoch += 1
    user.pending_email = None
    outbox.notify(user, Kind.PASSWORD_CHANGED, client)
    ended = ending.end_all(user.id)
    db.session.commit()
    ending.update_revocation_list(ended)
    audit.record(Event.PASSWORD_RECOVERED, user_id=user.id)


def _is_good(proof: Proof, user: User) -> bool:
    is_own = not proof.email or proof.is_about(user.email)
    return is_own and proof.epoch == user.auth_epoch and user.disabled_at is None


def _refuse_guessable(proof: Proof, new_password: str) -> None:
    try:
        message = weakness(new_password, own_words=lookup.own_words(proof.user_id))
    except NotFoundError:
        raise ProofRefusedError from None
    release_connection()
    if message:
        raise ValidationError({"new_password": [message]})
