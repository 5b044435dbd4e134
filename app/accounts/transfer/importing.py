"""Importing accounts of another program, with the hashes of their passwords.

Accounts are added and never changed: one that is here stays as it is, so that an import can be
interrupted and repeated. No password is hashed here: a login checks the hash of the other program
and replaces it (app/passwords/hashing.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from app import audit
from app.accounts.transfer.rows import NewAccount, Options, RefusedRowError, Row, checked
from app.accounts.username_rule import usernames_like
from app.audit import Event
from app.core import proofs
from app.core.database import BATCH_ROWS, release_connection, transaction
from app.core.errors import AccountError
from app.core.unique import flush_unique
from app.extensions import db
from app.models import User
from app.text import lookup_key

_NAME_TAKEN = "username: another account has it"
_EMAIL_TAKEN = "email: another account has it"
_RESERVED = "email: an account that had it can still take it back"
_NAME_REPEATED = "username: it stands further up already"
_EMAIL_REPEATED = "email: it stands further up already"


@dataclass(slots=True)
class Batch:
    """What became of some rows, or would.

    Attributes:
        read: how many they are.
        imported: how many are imported by scheme and cost of the hash; None: without a password.
        present: how many are here already, by username and e-mail, and left as they are.
        refused: the numbers of the others, and why.

    """

    read: int
    imported: Counter[tuple[str, int] | None] = field(default_factory=Counter)
    present: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


class _Present(Exception):  # noqa: N818 - nothing is wrong
    """The account is here already."""


class _Database:
    """What the database has of the usernames and e-mails of some accounts."""

    def __init__(self, accounts: Sequence[NewAccount]) -> None:
        emails = {lookup_key(account.email) for account in accounts}
        names = {lookup_key(account.username) for account in accounts if account.username}
        both = select(User.username_key, User.email_key)
        found = [
            *db.session.execute(both.where(User.email_key.in_(emails))),
            *db.session.execute(both.where(User.username_key.in_(names))),
        ]
        self._emails = {row.email_key: row.username_key for row in found}
        self._names = {row.username_key for row in found}
        self._reserved = proofs.reserved_among(emails)
        release_connection()

    def check(self, account: NewAccount) -> None:
        """Raise if the account is here, or another one is in its way."""
        email, name = lookup_key(account.email), lookup_key(account.username)
        if email in self._emails and (not name or self._emails[email] == name):
            raise _Present
        if name in self._names:
            raise RefusedRowError(_NAME_TAKEN)
        if email in self._emails:
            raise RefusedRowError(_EMAIL_TAKEN)
        if email in self._reserved:
            raise RefusedRowError(_RESERVED)


class _Seen:
    """The usernames and e-mails of earlier rows, of which only 64 bits are kept."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def check(self, account: NewAccount) -> None:
        """Raise if the username or the e-mail stands further up."""
        if account.username and self.has_name(account.username):
            raise RefusedRowError(_NAME_REPEATED)
        if hash(("e", lookup_key(account.email))) in self._hashes:
            raise RefusedRowError(_EMAIL_REPEATED)

    def has_name(self, username: str) -> bool:
        return hash(("u", lookup_key(username))) in self._hashes

    def add(self, account: NewAccount) -> None:
        self._hashes.add(hash(("e", lookup_key(account.email))))
        if account.username:
            self._hashes.add(hash(("u", lookup_key(account.username))))


def import_accounts(rows: Iterable[Row], options: Options) -> Iterator[Batch]:
    """Import rows, or tell what would happen. Each batch is one transaction.

    Args:
        rows: read as they are needed.
        options: how.

    Yields:
        What became of the next rows, the refused ones in the order of the rows.

    """
    rows, seen = iter(rows), _Seen()
    total = Counter(imported=0, present=0, refused=0)
    try:
        while some := list(islice(rows, BATCH_ROWS)):
            batch = _import_batch(some, options, seen)
            total["imported"] += batch.imported.total()
            total["present"] += batch.present
            total["refused"] += len(batch.refused)
            yield batch
    finally:
        if options.write and total.total():
            audit.record(Event.ACCOUNTS_IMPORTED, counts=dict(total))


def _import_batch(rows: Sequence[Row], options: Options, seen: _Seen) -> Batch:
    batch = Batch(len(rows))
    accounts = []
    for row in rows:
        try:
            accounts.append(checked(row, options))
        except RefusedRowError as error:
            batch.refused.append((row.number, str(error)))
    database = _Database(accounts)
    fresh = [account for account in accounts if _is_fresh(account, database, seen, batch)]
    if options.write and not _insert_all(fresh):
        fresh = [account for account in fresh if _insert_one(account, batch)]
    for account in fresh:
        kind = (account.hash.scheme, account.hash.cost) if account.hash else None
        batch.imported[kind] += 1
    batch.refused.sort()
    release_connection()
    return batch


def _is_fresh(account: NewAccount, database: _Database, seen: _Seen, batch: Batch) -> bool:
    """Tell whether an account is to be inserted; else note why not."""
    try:
        seen.check(account)
        database.check(account)
    except RefusedRowError as error:
        batch.refused.append((account.number, str(error)))
        return False
    except _Present:
        batch.present += 1
        seen.add(account)
        return False
    if not account.username:
        account.username = _free_username(account, seen)
    seen.add(account)
    return True


def _free_username(account: NewAccount, seen: _Seen) -> str:
    """The first username like the e-mail that neither a row further up nor an account has."""
    for username in usernames_like(account.email.partition("@")[0]):
        holder = select(User.id).where(User.username_key == lookup_key(username))
        if not seen.has_name(username) and db.session.scalar(holder) is None:
            return username
    raise AssertionError("there is no end of usernames")


@transaction()
def _insert_all(accounts: Sequence[NewAccount]) -> bool:
    """Insert accounts in one transaction; False: another account was first, and none is."""
    if not accounts:
        return True
    release_connection()
    try:
        db.session.execute(insert(User), [account.values() for account in accounts])
    except IntegrityError:
        db.session.rollback()
        return False
    if proofs.reserved_among({lookup_key(account.email) for account in accounts}):
        db.session.rollback()
        return False
    db.session.commit()
    return True


@transaction()
def _insert_one(account: NewAccount, batch: Batch) -> bool:
    """Insert an account of a batch in which another one was in the way of some."""
    try:
        _Database([account]).check(account)
        with flush_unique(account.username, account.email):
            db.session.execute(insert(User), account.values())
        db.session.commit()
    except _Present:
        batch.present += 1
        return False
    except RefusedRowError as error:
        batch.refused.append((account.number, str(error)))
        return False
    except AccountError as error:
        reasons = {"username": _NAME_TAKEN, "email": _EMAIL_TAKEN}
        batch.refused.append((account.number, reasons[next(iter(error.errors))]))
        return False
    return True
