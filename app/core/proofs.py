"""Proofs by mail: a link or a code shows that a person reads an e-mail address.

A proof is a row of `one_time`. The token of its link (256 bits) and its code (8 letters) are
derived from a random salt with a key that the database does not have, so that a copy of the tables
can use neither, and a mail can be written again. A proof is about one exact address: mail goes
there and nowhere else.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask
from jwt.utils import base64url_encode
from sqlalchemy import delete, func, select, update

from app.core.client import Client
from app.core.database import transaction, updated_one
from app.core.errors import ProofRefusedError
from app.extensions import db
from app.models import OneTime, User, utcnow
from app.services import Service
from app.text import lookup_key

PASSWORD_RESET = "password_reset"
EMAIL_VERIFICATION = "email_verification"
# In place of a current password, for an account that has none.
CONFIRMATION = "confirmation"
# "This was not me": takes the account back for the address that the mail went to.
UNDO = "undo"
LIFETIMES = {
    PASSWORD_RESET: timedelta(minutes=30),
    EMAIL_VERIFICATION: timedelta(hours=24),
    CONFIRMATION: timedelta(minutes=10),
    UNDO: timedelta(days=7),
}
MAX_TRIES = 5
CODE_LETTERS = 8
# No vowels, so that no words arise, and no letters that look alike (RFC 8628 §6.1).
# Living rows of one address and purpose that a code is compared with.
_ROWS_OF_A_CODE = 5
_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"

_key = Service[bytes]("key of proofs by mail")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was presented. It counts once `use` has deleted it.

    Attributes:
        id: its number; a later proof has a higher one.
        purpose: what it is good for.
        user_id: the account.
        email: the exact address that the mail went to.
        epoch: the account's `auth_epoch` that it is bound to; None: to none.
        created_at: when it was asked for, UTC.

    """

    id: int
    purpose: str
    user_id: int
    email: str
    epoch: int | None
    created_at: datetime

    def is_about(self, email: str | None) -> bool:
        """Tell whether an address is the proof's, in any spelling of its case."""
        return email is not None and lookup_key(email) == lookup_key(self.email)


def create(
    purpose: str, email: str, client: Client, user: User | None = None, *, reserves: bool = False
) -> OneTime:
    """Add a proof in the caller's transaction, in which the account's row is locked.

    It takes the place of the account's earlier one, but for `UNDO`. A reset, and the proof of a
    pending e-mail, is bound to the account's epoch.

    Args:
        purpose: what it is for.
        email: the address that it is about; empty: of none, for a link that is not mailed.
        client: who asks.
        user: the account; None: the sender looks it up (`bind`), so that the request takes the same
            time whether there is one or not.
        reserves: with `UNDO`, whether the address is nobody else's meanwhile.

    """
    salt = secrets.token_urlsafe(32)
    now = utcnow()
    row = OneTime(
        purpose=purpose,
        secret_hash=_hash(purpose, _token(purpose, salt)),
        subject=email,
        subject_key=lookup_key(email) if reserves or (email and purpose != UNDO) else None,
        salt=salt,
        address=client.address[:45],
        user_agent=client.user_agent[:255],
        created_at=now,
        expires_at=now + LIFETIMES[purpose],
    )
    if user is not None:
        bind(row, user)
    db.session.add(row)
    db.session.flush()
    return row


def bind(row: OneTime, user: User) -> None:
    """Make a proof the one of this account and purpose; the account's row is locked."""
    if row.purpose != UNDO:
        others = (OneTime.purpose == row.purpose, OneTime.user_id == user.id, OneTime.id != row.id)
        db.session.execute(delete(OneTime).where(*(others if row.id else others[:2])))
    row.user_id = user.id
    # An e-mail that is to become the account's goes with what else opens the account.
    is_pending = row.purpose == EMAIL_VERIFICATION and row.subject == user.pending_email
    row.epoch = user.auth_epoch if is_pending or row.purpose == PASSWORD_RESET else None


def supersede(row: OneTime) -> None:
    """Delete, in the transaction, the older proofs of an address without an account.

    It then has one row, as an account has, and a code tried for it takes as long.
    """
    older = (OneTime.subject_key == row.subject_key, OneTime.purpose == row.purpose)
    unbound = (OneTime.user_id.is_(None), OneTime.id < row.id)
    db.session.execute(delete(OneTime).where(*older, *unbound))


def find_by_token(purpose: str, token: str) -> Proof:
    """Return the living proof of a link's token.

    Raises:
        ProofRefusedError: there is none of this purpose.

    """
    mine = (OneTime.purpose == purpose, OneTime.secret_hash == _hash(purpose, token))
    return _proof(db.session.scalar(select(OneTime).where(*mine, OneTime.expires_at > utcnow())))


@transaction()
def find_by_code(purpose: str, email: str, code: str) -> Proof:
    """Return the living proof of an address and a code. Each call is one of five tries.

    A try is counted and committed before the codes are compared, so that of many at once five
    count (ASVS 5.0, 6.6.3). An address without an account has its rows too, and takes as long.
    Where several accounts want to prove the address, each has a row and a code.

    Raises:
        ProofRefusedError: the code is another one, or the tries are used up.

    """
    mine = (OneTime.purpose == purpose, OneTime.subject_key == lookup_key(email))
    living = (*mine, OneTime.expires_at > utcnow(), OneTime.tries < MAX_TRIES)
    newest = select(OneTime).where(*living).order_by(OneTime.id.desc())
    rows = db.session.scalars(newest.limit(_ROWS_OF_A_CODE)).all()
    counted = {row.id for row in rows if _count_try(row.id)}
    typed = _typed(code)
    right = [row for row in rows if hmac.compare_digest(code_of(row), typed)]
    proof = next((_proof(r) for r in right if r.id in counted and r.user_id is not None), None)
    db.session.commit()
    if proof is None:
        raise ProofRefusedError
    return proof


def _count_try(number: int) -> bool:
    left = (OneTime.id == number, OneTime.tries < MAX_TRIES)
    return updated_one(update(OneTime).where(*left).values(tries=OneTime.tries + 1))


def use(proof: Proof) -> bool:
    """Delete a proof in the caller's transaction; of several at once, one gets True."""
    return updated_one(delete(OneTime).where(OneTime.id == proof.id))


def revoke_undo_after(proof: Proof) -> None:
    """Delete the account's `UNDO` proofs that are later than this one, in the transaction."""
    later = (OneTime.user_id == proof.user_id, OneTime.purpose == UNDO, OneTime.id > proof.id)
    db.session.execute(delete(OneTime).where(*later))


def first_notice(proof: Proof) -> datetime:
    """When the account's earliest living `UNDO` proof for the same address was made, UTC."""
    mine = (OneTime.user_id == proof.user_id, OneTime.purpose == UNDO)
    rows = db.session.execute(select(OneTime.subject, OneTime.created_at).where(*mine))
    return min(
        (row.created_at for row in rows if proof.is_about(row.subject)), default=proof.created_at
    )


def count_recent_notices(user_id: int, email: str) -> int:
    """Count the account's `UNDO` proofs for an address of the last day."""
    mine = (OneTime.user_id == user_id, OneTime.purpose == UNDO, OneTime.subject == email)
    recent = OneTime.created_at > utcnow() - timedelta(days=1)
    return db.session.scalar(select(func.count()).where(*mine, recent)) or 0


def has_reserved(user_id: int) -> bool:
    """Tell whether an account has a former address that is nobody else's meanwhile."""
    mine = (OneTime.user_id == user_id, OneTime.purpose == UNDO, OneTime.subject_key.is_not(None))
    held = select(OneTime.id).where(*mine, OneTime.expires_at > utcnow())
    return db.session.scalar(held.limit(1)) is not None


def release_address(user_id: int, key: str | None) -> None:
    """Delete, in the transaction, the `UNDO` proofs with which an account reserves an address."""
    mine = (OneTime.user_id == user_id, OneTime.purpose == UNDO, OneTime.subject_key == key)
    db.session.execute(delete(OneTime).where(*mine))


def is_reserved(email: str, *, for_user: int | None = None) -> bool:
    """Tell whether an address was another account's that can still be taken back."""
    held = select(OneTime.id).where(
        OneTime.purpose == UNDO,
        OneTime.subject_key == lookup_key(email),
        OneTime.expires_at > utcnow(),
    )
    if for_user is not None:
        held = held.where(OneTime.user_id != for_user)
    return db.session.scalar(held.limit(1)) is not None


def reserved_among(keys: Iterable[str]) -> set[str]:
    """Those of some e-mails, as `lookup_key` writes them, that `is_reserved`."""
    held = select(OneTime.subject_key).where(
        OneTime.purpose == UNDO, OneTime.subject_key.in_(keys), OneTime.expires_at > utcnow()
    )
    return {key for key in db.session.scalars(held) if key is not None}


def is_pending(purpose: str, user_id: int) -> bool:
    """Tell whether an account has a living proof of a purpose."""
    mine = (OneTime.purpose == purpose, OneTime.user_id == user_id)
    living = select(OneTime.id).where(*mine, OneTime.expires_at > utcnow())
    return db.session.scalar(living.limit(1)) is not None


def token_of(row: OneTime) -> str:
    """The token of a proof's link: 256 bits in base64url."""
    return _token(row.purpose, row.salt or "")


def code_of(row: OneTime) -> str:
    """The code of a proof, without the dash that a mail writes in its middle."""
    number = int.from_bytes(_derive("code", row.purpose, row.salt or ""), "big")
    letters = []
    for _ in range(CODE_LETTERS):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


def init_app(app: Flask, key: bytes) -> None:
    """Take the key that tokens and codes are derived with."""
    _key.bind(app, key)


def _proof(row: OneTime | None) -> Proof:
    if row is None or row.user_id is None:
        raise ProofRefusedError
    return Proof(row.id, row.purpose, row.user_id, row.subject, row.epoch, row.created_at)


def _typed(code: str) -> str:
    """A code as it was typed: in any case, with dashes and spaces (ASCII, as it is compared)."""
    return re.sub(r"[\s-]", "", code).upper().encode("ascii", "replace").decode()


def _token(purpose: str, salt: str) -> str:
    return base64url_encode(_derive("token", purpose, salt)).decode()


def _hash(purpose: str, token: str) -> str:
    return _derive("hash", purpose, token).hex()


def _derive(*parts: str) -> bytes:
    return hmac.digest(_key(), "\n".join(parts).encode(), "sha256")
