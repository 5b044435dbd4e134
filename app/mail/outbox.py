"""The outbox: mails are rows of the transaction that causes them, and are sent afterwards.

No request waits for a mail server, and a mail is neither lost nor sent of a change that was rolled
back. A row holds no link and no code: both are derived from its proof when the mail is written.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, event, func, or_, select, update
from sqlalchemy.orm import Session as DatabaseSession

from app.core import proofs
from app.core.client import Client
from app.core.database import lock_user, updated_one, updated_rows
from app.extensions import db
from app.mail.kinds import Kind
from app.models import OneTime, Outbox, User, utcnow

# How long a process may take to send a mail before another one may send it.
CLAIM = timedelta(minutes=5)
# After each failure; the last one counts for every further failure.
RETRY_AFTER = [
    timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(minutes=30),
    timedelta(hours=1),
]  # fmt: skip
NOTICES_A_DAY = 10
GIVE_UP_AFTER = timedelta(days=1)
_CANDIDATES = 20
_CREATED = "loguserapp.mail"

# Set when a transaction of this process that created a mail is committed.
created = threading.Event()


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that this process may send.

    Attributes:
        id: its number.
        until: when another process may send it, UTC; by it a claim knows its own row.

    """

    id: int
    until: datetime


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail that waits, as an operator sees it; times are UTC. Its address is not shown."""

    id: int
    kind: str
    user_id: int | None
    created_at: datetime
    due_at: datetime
    claimed_until: datetime | None
    tries: int
    error: str


def enqueue(kind: Kind, proof: OneTime, client: Client, detail: str = "") -> None:
    """Add a mail in the caller's transaction.

    Args:
        kind: which mail.
        proof: what it carries; it goes to the proof's address.
        client: whose request caused it.
        detail: what it is about, such as the name of a provider.

    """
    now = utcnow()
    db.session.add(
        Outbox(
            kind=kind,
            proof_id=proof.id,
            detail=detail[:80],
            language=client.language,
            created_at=now,
            due_at=now,
        )
    )
    db.session().info[_CREATED] = True


def notify(user: User, kind: Kind, client: Client, *, detail: str = "") -> None:
    """Add a notice, whose link takes the account back, in the caller's transaction.

    An address gets `NOTICES_A_DAY` of an account: the links of the earlier ones go further back.

    Args:
        user: the account, whose row is locked. Without an e-mail it gets no notice.
        kind: which notice.
        client: who did what the notice tells.
        detail: what it is about, such as the name of a provider.

    """
    if user.email is None:
        return
    if proofs.count_recent_notices(user.id, user.email) < NOTICES_A_DAY:
        enqueue(kind, proofs.create(proofs.UNDO, user.email, client, user), client, detail)


def notify_of_email(user: User, former: str, client: Client, *, is_proven: bool) -> None:
    """Tell the former e-mail of an account that it is another one now, as `notify` does.

    The former e-mail is nobody else's until the link ends. Of those that were never proven an
    account keeps one, so that nobody can reserve the addresses of others by the dozen.
    """
    reserves = is_proven or not proofs.has_reserved(user.id)
    proof = proofs.create(proofs.UNDO, former, client, user, reserves=reserves)
    enqueue(Kind.EMAIL_CHANGED, proof, client)


def claim() -> Claim | None:
    """Take a mail that is due, commit, and return it; None where there is none.

    Of several processes at once one gets it, by a conditional UPDATE.
    """
    now = utcnow()
    until = now + CLAIM
    free = or_(Outbox.claimed_until.is_(None), Outbox.claimed_until <= now)
    due = (Outbox.due_at <= now, free)
    oldest = select(Outbox.id).where(*due).order_by(Outbox.due_at, Outbox.id).limit(_CANDIDATES)
    while found := list(db.session.scalars(oldest)):
        random.shuffle(found)  # so that the processes seldom want the same one
        for number in found:
            mine = update(Outbox).where(Outbox.id == number, *due).values(claimed_until=until)
            taken = updated_one(mine)
            db.session.commit()
            if taken:
                return Claim(number, until)
    db.session.rollback()
    return None


def load(number: int) -> tuple[Outbox, OneTime, User] | None:
    """Return a claimed mail with its proof and account, and commit.

    The account of a reset is looked up here rather than in the request, which so takes the same
    time for every address.

    Returns:
        None if the address has no account that may log in, or the proof is used or expired: the
        mail is deleted.

    """
    mail = db.session.get(Outbox, number, populate_existing=True)
    proof = db.session.get(OneTime, mail.proof_id, populate_existing=True) if mail else None
    user = _account(proof) if proof is not None and proof.expires_at > utcnow() else None
    if mail is None or proof is None or user is None or user.disabled_at is not None:
        drop(number)
        if proof is not None and proof.user_id is None:
            proofs.supersede(proof)
            db.session.commit()
        return None
    db.session.commit()
    return mail, proof, user


def _account(proof: OneTime) -> User | None:
    if proof.user_id is not None:
        return db.session.get(User, proof.user_id, populate_existing=True)
    holder = select(User.id).where(User.email_key == proof.subject_key)
    user_id = db.session.scalar(holder)
    user = lock_user(user_id) if user_id is not None else None
    if user is None or user.email is None or user.email_key != proof.subject_key:
        return None
    if user.disabled_at is None:
        proof.subject = user.email  # as the account has it, whatever was typed
        proofs.bind(proof, user)
    return user


def drop(number: int) -> None:
    """Delete a mail, sent or not, and commit."""
    db.session.rollback()
    db.session.execute(delete(Outbox).where(Outbox.id == number))
    db.session.commit()


def postpone(claim: Claim, error: str) -> bool:
    """Try a mail again later and commit; return False if it was given up and deleted.

    A mail that another process has claimed meanwhile is left to that process.
    """
    db.session.rollback()
    both = select(Outbox, OneTime).join(OneTime, OneTime.id == Outbox.proof_id)
    own = (Outbox.id == claim.id, Outbox.claimed_until == claim.until)
    row = db.session.execute(
        both.where(*own), execution_options={"populate_existing": True}
    ).one_or_none()
    if row is None:
        db.session.rollback()
        return True
    mail, proof = row
    due_at = utcnow() + RETRY_AFTER[min(mail.tries, len(RETRY_AFTER) - 1)]
    if due_at >= min(proof.expires_at, mail.created_at + GIVE_UP_AFTER):
        drop(claim.id)
        return False
    later = {"due_at": due_at, "claimed_until": None, "tries": mail.tries + 1, "error": error[:80]}
    db.session.execute(update(Outbox).where(*own).values(later))
    db.session.commit()
    return True


def waiting() -> list[QueuedMail]:
    """Every mail that waits, the oldest first."""
    joined = select(Outbox, OneTime.user_id).join(OneTime, OneTime.id == Outbox.proof_id)
    rows = db.session.execute(joined.order_by(Outbox.id))
    return [
        QueuedMail(
            mail.id, mail.kind, user_id, mail.created_at, mail.due_at, mail.claimed_until,
            mail.tries, mail.error,
        )
        for mail, user_id in rows
    ]  # fmt: skip


def retry_now() -> int:
    """Make every mail that no process is sending due now, commit, and return how many."""
    now = utcnow()
    free = or_(Outbox.claimed_until.is_(None), Outbox.claimed_until <= now)
    count = updated_rows(update(Outbox).where(free).values(due_at=now))
    db.session.commit()
    return count


def length_and_age() -> tuple[int, float]:
    """How many mails wait, and for how many seconds the oldest one does."""
    row = db.session.execute(select(func.count(), func.min(Outbox.created_at))).one()
    count, oldest = row
    db.session.rollback()
    return count, (utcnow() - oldest).total_seconds() if oldest else 0.0


@event.listens_for(DatabaseSession, "after_commit")
def _wake_sender(session: DatabaseSession) -> None:
    if session.info.pop(_CREATED, False):
        created.set()


@event.listens_for(DatabaseSession, "after_rollback")
def _forget_created(session: DatabaseSession) -> None:
    session.info.pop(_CREATED, None)
