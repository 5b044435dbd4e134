"""Taking an account back from somebody else: "this was not me" in a mail.

The link of each notice gives the account back to the address that the notice went to, whatever has
happened to e-mail, password and logins since. It is bound to no epoch and ends by its use or after
seven days (ASVS 5.0, 6.3.7).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete

from app import audit
from app.audit import Event
from app.core import proofs
from app.core.client import Client
from app.core.database import lock_user, transaction
from app.core.errors import ProofRefusedError
from app.core.proofs import Proof
from app.core.unique import flush_unique
from app.extensions import db
from app.limits.rules import counting_bad_tokens
from app.mail import outbox
from app.mail.kinds import Kind
from app.models import Identity, User, utcnow
from app.sessions import ending
from app.text import with_key

# A connection and its notice are written one after the other.
_SLACK = timedelta(seconds=10)


def take_back(token: str, client: Client) -> str:
    """Restore the e-mail, end the password and every session, mail a reset; return the address.

    What somebody else may have arranged goes too: identities connected since the first notice of
    which the address still has a link, the links of later notices, which may have gone to another
    address, and by the epoch what is bound to it.

    Raises:
        ProofRefusedError: the link is wrong, used or expired.
        EmailTakenError: another account has the address.

    """
    with counting_bad_tokens(client.address):
        proof = proofs.find_by_token(proofs.UNDO, token)
    _take_back(proof, client)
    return proof.email


@transaction()
def _take_back(proof: Proof, client: Client) -> None:
    user = lock_user(proof.user_id)
    since = proofs.first_notice(proof) - _SLACK
    if user is None or not proofs.use(proof):
        db.session.rollback()
        raise ProofRefusedError
    _remove_identities(user, proof, since)
    _restore(user, proof)
    proofs.revoke_undo_after(proof)
    reset = proofs.create(proofs.PASSWORD_RESET, proof.email, client, user)
    outbox.enqueue(Kind.PASSWORD_RESET, reset, client)
    ended = ending.end_all(user.id)
    db.session.commit()
    ending.update_revocation_list(ended)
    audit.record(Event.ACCOUNT_RECOVERED, user_id=user.id)


def _remove_identities(user: User, proof: Proof, since: datetime) -> None:
    """Remove what was connected since, and everything where the address was never proven."""
    theirs = [Identity.user_id == user.id]
    if user.email_verified_at is not None or not proof.is_about(user.email):
        theirs.append(Identity.created_at >= since)
    db.session.execute(delete(Identity).where(*theirs))


def _restore(user: User, proof: Proof) -> None:
    """The account as its owner needs it for a new start; the row is locked."""
    with flush_unique(None, proof.email, own_id=user.id):
        for column, value in with_key("email", proof.email).items():
            setattr(user, column, value)
        user.password = None
        user.auth_epoch += 1
        user.email_verified_at = utcnow()  # the link was read there
        user.pending_email, user.must_verify_email = None, False
        db.session.flush()
