"""Everything that changes an account or its sessions, at once: one lock order, so no deadlock."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.accounts import disabling, lookup, password_change, profile_change, registration
from app.core import database
from app.core.errors import AccountError, SessionRefusedError
from app.extensions import db
from app.models import User, utcnow
from app.sessions import ending, listing, opening, refreshing
from app.sessions.opening import Grant
from app.sessions.origin import Actor, Origin
from app.social import codes, linking, sign_in
from app.social.identities import ExternalIdentity
from app.system import housekeeping
from tests.support.databases import execute, select

THREADS, OPERATIONS = 8, 150
PASSWORD = "correct horse"
HERE = Origin("192.0.2.1", "test")
VERIFIER = "v" * 43
GOOGLE = {"google_client_id": "id", "google_client_secret": "secret"}
SARI = ExternalIdentity(
    "google", "https://accounts.google.com", "1", "sari@gmail.com", email_proven=True, name="Sari"
)


@pytest.fixture(autouse=True)
def nothing_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else would hide a deadlock."""
    monkeypatch.setattr(database, "ATTEMPTS", 1)


class Account:
    """One account, and everything that can happen to it."""

    def __init__(self) -> None:
        self.id = registration.register("sari", "sari@gmail.com", PASSWORD).id
        self._grants: list[Grant] = []

    def open(self) -> None:
        epoch = db.session.get_one(User, self.id, populate_existing=True).auth_epoch
        db.session.rollback()
        grant = opening.open_session(self.id, epoch, HERE, ["pwd"], proven_at=utcnow())
        self._grants = [*self._grants[-20:], grant]

    def grant(self) -> Grant:
        return random.choice(self._grants)

    def actor(self) -> Actor:
        return Actor(self.id, self.grant().session_id, HERE.client)

    def refresh(self) -> None:
        refreshing.refresh(self.grant().refresh_token, HERE)

    def renew(self) -> None:
        opening.renew(self.grant().session_id, HERE)

    def log_out(self) -> None:
        ending.log_out(self.grant().session_id)

    def log_out_everywhere(self) -> None:
        ending.log_out_everywhere(self.id)

    def change_password(self) -> None:
        password_change.change_password(self.actor(), PASSWORD, PASSWORD)

    def change_email(self) -> None:
        email = random.choice(["sari@gmail.com", "other@gmail.com"])
        profile_change.change_profile(self.actor(), PASSWORD, email=email)

    def set_password(self) -> None:
        password_change.set_password(self.id, PASSWORD)

    def disable(self) -> None:
        disabling.set_disabled(self.id, disabled=True)
        disabling.set_disabled(self.id, disabled=False)

    def connect(self) -> None:
        epoch = db.session.get_one(User, self.id, populate_existing=True).auth_epoch
        db.session.rollback()
        linking.connect(self.actor(), epoch, SARI)

    def disconnect(self) -> None:
        own = linking.identities(self.id)
        db.session.rollback()
        if own:
            linking.disconnect(self.actor(), own[0].id, None)

    def log_in_there(self) -> None:
        sign_in.open_session(sign_in.sign_in(SARI, HERE.client), HERE, utcnow())

    def code(self) -> None:
        code = codes.issue_code(sign_in.sign_in(SARI, HERE.client), codes.s256(VERIFIER))
        codes.redeem_code(code, VERIFIER, HERE)

    def look(self) -> None:
        lookup.profile(self.id)
        listing.list_sessions(self.id)
        db.session.rollback()

    def purge(self) -> None:
        housekeeping.purge()

    def operations(self) -> list[Callable[[], None]]:
        return [
            self.open, self.open, self.refresh, self.refresh, self.renew, self.log_out,
            self.log_out_everywhere, self.change_password, self.change_email, self.set_password,
            self.disable, self.connect, self.disconnect, self.log_in_there, self.code, self.look,
            self.purge,
        ]  # fmt: skip


def test_whatever_happens_to_an_account_at_once_nothing_deadlocks(
    make_app: Callable[..., Flask], database_url: str
) -> None:
    app = make_app(**GOOGLE, threads=THREADS + 4)
    with app.app_context():
        account = Account()
        account.open()
    execute(database_url, "UPDATE user SET email_verified_at = '2026-01-01'")
    faults: Counter[str] = Counter()

    def run(_: int) -> None:
        with app.app_context():
            for _ in range(OPERATIONS):
                operation = random.choice(account.operations())
                try:
                    # Losing against another operation is what most of them do here.
                    with suppress(AccountError, SessionRefusedError):
                        operation()
                except SQLAlchemyError as error:
                    db.session.rollback()
                    number = getattr(error.orig, "args", ["?"])[0]  # type: ignore[attr-defined]
                    faults[f"{operation.__name__}: {number}"] += 1
                finally:
                    db.session.rollback()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(THREADS)))
    assert faults == {}
    assert select(database_url, "SELECT count(*) FROM user WHERE disabled_at IS NULL")[0][0] >= 1


@pytest.mark.parametrize("operation", ["log_out", "renew", "disable"])
def test_two_kinds_at_once_do_not_deadlock(make_app: Callable[..., Flask], operation: str) -> None:
    app = make_app(**GOOGLE, threads=THREADS + 4)
    with app.app_context():
        account = Account()
        account.open()
    pair = [account.open, getattr(account, operation), account.log_out_everywhere]

    def run(number: int) -> None:
        with app.app_context():
            for _ in range(OPERATIONS):
                with suppress(AccountError, SessionRefusedError):
                    pair[number % len(pair)]()
                db.session.rollback()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(THREADS)))  # what is no refusal is raised
