"""What runs while a password is hashed: the decision made before it is looked at again after it.

Each race is run 10 times on SQLite and on MySQL, with real bcrypt; the slow step is held open
until the conflicting operation has committed.
"""

# ruff: noqa: B023 - every operation ends within its own round
from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO, RawIOBase
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy.pool import QueuePool

from app.accounts import (
    deletion,
    disabling,
    lookup,
    password_change,
    profile_change,
    registration,
)
from app.accounts.forms import LoginForm
from app.accounts.login import log_in
from app.core.errors import InvalidCredentialsError, SessionRefusedError
from app.extensions import db
from app.passwords import hashing
from app.sessions import ending
from app.sessions.opening import PASSWORD, open_session
from app.sessions.origin import Actor, Origin
from app.web.forms import parse_form
from tests.support.databases import execute, select
from tests.support.holding import NEXT_HOLDER, Operation, while_hashing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ROUNDS = range(10)
OLD, NEW, THIRD = "correct horse", "battery staple", "third password"
HERE = Origin("192.0.2.1", "owner")
THERE = Origin("198.51.100.7", "thief")


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    """The application in which the conflicting operations run."""
    app = make_app()
    with app.app_context():
        yield app


@pytest.fixture
def slow(make_app: Callable[..., Flask], app: Flask) -> Flask:
    """Another worker, whose hashing is held."""
    return make_app()


@pytest.fixture
def user_id(app: Flask) -> int:
    return registration.register("sari", "sari@example.com", OLD).id


def session_of(user_id: int, password: str = OLD, origin: Origin = HERE) -> Actor:
    grant = log_in("sari", password, origin)
    return Actor(grant.user_id, grant.session_id, origin.client)


def logs_in(password: str) -> bool:
    try:
        ending.log_out(log_in("sari", password, HERE).session_id)
    except InvalidCredentialsError:
        return False
    return True


def living(database_url: str) -> list[int]:
    found = select(database_url, "SELECT id FROM session WHERE revoked_at IS NULL ORDER BY id")
    return [number for (number,) in found]


# --- a login in progress -------------------------------------------------------------------------


def test_a_login_in_progress_does_not_survive_a_password_change(
    slow: Flask, user_id: int, database_url: str
) -> None:
    now, other = OLD, NEW
    for _ in ROUNDS:
        owner = session_of(user_id, now)
        with while_hashing(slow, lambda: log_in("sari", now, THERE)) as login:
            password_change.change_password(owner, now, other)
        assert login.outcome() == "InvalidCredentialsError"
        assert living(database_url) == [owner.session_id]
        ending.log_out(owner.session_id)
        now, other = other, now


@pytest.mark.parametrize("stored_cost", [4, 5])
def test_a_login_in_progress_does_not_survive_an_operators_password(
    make_app: Callable[..., Flask], user_id: int, database_url: str, stored_cost: int
) -> None:
    # The hash of a lower cost is made again at each login, which takes a second slow step.
    slow = make_app(bcrypt_log_rounds=stored_cost)
    for _ in ROUNDS:
        password_change.set_password(user_id, OLD)
        with while_hashing(slow, lambda: log_in("sari", OLD, THERE)) as login:
            password_change.set_password(user_id, NEW)
        assert login.outcome() == "InvalidCredentialsError"
        assert living(database_url) == []
        assert not logs_in(OLD)


def test_a_login_in_progress_does_not_survive_a_disable(
    slow: Flask, user_id: int, database_url: str
) -> None:
    for _ in ROUNDS:
        with while_hashing(slow, lambda: log_in("sari", OLD, THERE)) as login:
            disabling.set_disabled(user_id, disabled=True)
        assert login.outcome() == "InvalidCredentialsError"
        assert living(database_url) == []
        disabling.set_disabled(user_id, disabled=False)


def test_a_login_begun_before_a_disable_and_an_enable_is_refused(slow: Flask, user_id: int) -> None:
    for _ in ROUNDS:
        with while_hashing(slow, lambda: log_in("sari", OLD, THERE)) as login:
            disabling.set_disabled(user_id, disabled=True)
            disabling.set_disabled(user_id, disabled=False)
        assert login.outcome() == "InvalidCredentialsError"


def test_a_login_in_progress_does_not_survive_a_deletion(slow: Flask, database_url: str) -> None:
    for _ in ROUNDS:
        user_id = registration.register("sari", "sari@example.com", OLD).id
        with while_hashing(slow, lambda: log_in("sari", OLD, THERE)) as login:
            deletion.delete(user_id)
        assert login.outcome() == "InvalidCredentialsError"
        assert living(database_url) == []


def test_a_login_in_progress_survives_what_changes_no_login_method(
    slow: Flask, user_id: int
) -> None:
    owner = session_of(user_id)
    with while_hashing(slow, lambda: log_in("sari", OLD, THERE)) as login:
        profile_change.change_profile(owner, OLD, username="sari.w")
    assert login.outcome() == "done"


def test_a_rehash_of_the_same_password_ends_nothing(
    make_app: Callable[..., Flask], user_id: int, database_url: str
) -> None:
    dearer = make_app(bcrypt_log_rounds=5)
    with while_hashing(dearer, lambda: log_in("sari", OLD, THERE)) as login:
        assert logs_in(OLD)
    assert login.outcome() == "done"
    assert select(database_url, "SELECT auth_epoch FROM user") == [(0,)]
    assert select(database_url, "SELECT password FROM user")[0][0].startswith("$2b$05$")


# --- a change in progress ------------------------------------------------------------------------

CHANGES: dict[str, Callable[[Actor], object]] = {
    "password": lambda actor: password_change.change_password(actor, OLD, OLD),
    "profile": lambda actor: profile_change.change_profile(actor, OLD, username="robbed"),
    "e-mail": lambda actor: profile_change.change_profile(actor, OLD, email="thief@example.com"),
    "deletion": lambda actor: deletion.delete_own(actor, OLD),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_in_progress_does_not_undo_an_operators_password(
    slow: Flask, user_id: int, change: Callable[[Actor], object]
) -> None:
    for _ in ROUNDS:
        password_change.set_password(user_id, OLD)
        thief = session_of(user_id, origin=THERE)
        with while_hashing(slow, lambda: change(thief)) as changing:
            password_change.set_password(user_id, NEW)
        assert changing.outcome() == "TokenRevokedError"
        assert logs_in(NEW)
        assert not logs_in(OLD)
        assert lookup.profile(user_id).username == "sari"
        assert lookup.profile(user_id).email == "sari@example.com"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_in_progress_does_not_undo_the_owners_password(
    slow: Flask, user_id: int, change: Callable[[Actor], object]
) -> None:
    for _ in ROUNDS:
        password_change.set_password(user_id, OLD)
        owner, thief = session_of(user_id), session_of(user_id, origin=THERE)
        with while_hashing(slow, lambda: change(thief)) as changing:
            password_change.change_password(owner, OLD, NEW)
        assert changing.outcome() == "TokenRevokedError"
        assert logs_in(NEW)
        assert lookup.profile(user_id).username == "sari"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_that_loses_to_one_of_its_own_session_is_a_wrong_password(
    slow: Flask, user_id: int, change: Callable[[Actor], object]
) -> None:
    for _ in ROUNDS:
        password_change.set_password(user_id, OLD)
        owner = session_of(user_id)
        with while_hashing(slow, lambda: change(owner)) as changing:
            password_change.change_password(owner, OLD, NEW)
        assert changing.outcome() == "WrongPasswordError"
        assert logs_in(NEW)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_in_progress_does_not_survive_the_logout_of_its_session(
    slow: Flask, user_id: int, change: Callable[[Actor], object]
) -> None:
    for _ in ROUNDS:
        thief = session_of(user_id, origin=THERE)
        with while_hashing(slow, lambda: change(thief)) as changing:
            ending.log_out(thief.session_id)
        assert changing.outcome() == "TokenRevokedError"
        assert logs_in(OLD)


def test_a_change_between_its_two_hashes_does_not_survive_the_logout_of_its_session(
    slow: Flask, user_id: int
) -> None:
    for _ in ROUNDS:
        thief = session_of(user_id, origin=THERE)
        changing = while_hashing(
            slow, lambda: password_change.change_password(thief, OLD, NEW), hashes=2
        )
        with changing as change:
            ending.log_out(thief.session_id)
        assert change.outcome() == "TokenRevokedError"
        assert logs_in(OLD)


def test_a_change_between_its_two_hashes_does_not_undo_another(slow: Flask, user_id: int) -> None:
    for _ in ROUNDS:
        password_change.set_password(user_id, OLD)
        owner = session_of(user_id)
        changing = while_hashing(
            slow, lambda: password_change.change_password(owner, OLD, NEW), hashes=2
        )
        with changing as change:
            password_change.change_password(owner, OLD, THIRD)
        assert change.outcome() == "WrongPasswordError"
        assert [logs_in(each) for each in (OLD, NEW, THIRD)] == [False, False, True]


def test_of_two_password_changes_one_wins(slow: Flask, user_id: int) -> None:
    for _ in ROUNDS:
        password_change.set_password(user_id, OLD)
        one, other = session_of(user_id), session_of(user_id)
        with while_hashing(
            slow, lambda: password_change.change_password(one, OLD, NEW)
        ) as changing:
            password_change.change_password(other, OLD, THIRD)
        assert changing.outcome() == "TokenRevokedError"
        assert [logs_in(each) for each in (OLD, NEW, THIRD)] == [False, False, True]


def test_a_first_password_in_progress_does_not_replace_another(
    slow: Flask, user_id: int, database_url: str
) -> None:
    for _ in ROUNDS:
        owner = session_of(user_id)
        execute(database_url, "UPDATE user SET password = NULL")
        db.session.expire_all()
        first = while_hashing(slow, lambda: password_change.set_first_password(owner, NEW))
        with first as setting:
            password_change.set_password(user_id, OLD)
        assert setting.outcome() in {"PasswordSetError", "TokenRevokedError"}
        assert logs_in(OLD)


# --- open_session: under one lock ----------------------------------------------------------------


def test_a_session_of_an_older_epoch_is_not_opened(user_id: int, database_url: str) -> None:
    execute(database_url, "UPDATE user SET auth_epoch = 7")
    for seen in (0, 6, 8):
        with pytest.raises(SessionRefusedError):
            open_session(user_id, seen, HERE, [PASSWORD])
    assert open_session(user_id, 7, HERE, [PASSWORD]).epoch == 7


def test_opening_and_disabling_at_once_leaves_no_living_session(
    app: Flask, slow: Flask, user_id: int, database_url: str
) -> None:
    """Both transactions run at the same moment, with nothing held: 20 rounds of 4 openers."""
    for _ in range(20):
        epoch = select(database_url, "SELECT auth_epoch FROM user")[0][0]
        opening = [
            Operation(slow, lambda: open_session(user_id, epoch, HERE, [PASSWORD]))
            for _ in range(4)
        ]
        disabling.set_disabled(user_id, disabled=True)
        assert {each.outcome() for each in opening} <= {"done", "SessionRefusedError"}
        assert living(database_url) == []
        disabling.set_disabled(user_id, disabled=False)


def test_opening_and_deleting_at_once_is_refused_and_no_fault(
    slow: Flask, database_url: str
) -> None:
    for _ in range(20):
        user_id = registration.register("sari", "sari@example.com", OLD).id
        opening = [
            Operation(slow, lambda: open_session(user_id, 0, HERE, [PASSWORD])) for _ in range(4)
        ]
        deletion.delete(user_id)
        assert {each.outcome() for each in opening} <= {"done", "SessionRefusedError"}
        assert living(database_url) == []


def test_every_change_raises_the_epoch_by_one(user_id: int, database_url: str) -> None:
    def raised(change: Callable[[], object]) -> int:
        before = select(database_url, "SELECT auth_epoch FROM user")[0][0]
        change()
        found: int = select(database_url, "SELECT auth_epoch FROM user")[0][0] - before
        return found

    owner = session_of(user_id)
    profile = profile_change.change_profile
    assert raised(lambda: password_change.change_password(owner, OLD, NEW)) == 1
    assert raised(lambda: profile(owner, NEW, email="new@example.com")) == 1
    assert raised(lambda: profile(owner, NEW, email="NEW@example.com")) == 0  # the same address
    assert raised(lambda: profile(owner, NEW, username="other")) == 0
    assert raised(lambda: password_change.set_password(user_id, OLD)) == 1
    assert raised(lambda: disabling.set_disabled(user_id, disabled=True)) == 1
    assert raised(lambda: disabling.set_disabled(user_id, disabled=False)) == 0


# --- no lock in a slow step ----------------------------------------------------------------------


def test_nothing_is_locked_and_no_connection_held_while_a_password_is_hashed(
    slow: Flask, user_id: int, database_url: str
) -> None:
    steps: list[Callable[[Actor], object]] = [
        lambda _: log_in("sari", OLD, THERE),
        lambda _: password_change.set_password(user_id, OLD),
        lambda _: registration.register("budi", "budi@example.com", OLD),
        lambda _: (lookup.profile(user_id), hashing.hash_password(OLD, NEXT_HOLDER)),
        CHANGES["password"],
        CHANGES["deletion"],
    ]
    for step in steps:
        owner = session_of(user_id, origin=HERE)
        with while_hashing(slow, lambda: step(owner)):
            with slow.app_context():
                if not database_url.startswith("sqlite"):
                    assert connections() == 0
            execute(database_url, "UPDATE user SET username = username")  # a writer beside it


def connections() -> int:
    """How many connections the pool of the application has given out."""
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


class WatchedBody(RawIOBase):
    """A body that tells, while it is read, how many connections the pool has given out."""

    def __init__(self, body: bytes) -> None:
        self._rest = BytesIO(body)
        self.held: list[int] = []

    def readable(self) -> bool:
        return True

    def seek(self, *place: int) -> int:
        return self._rest.seek(*place)

    def tell(self) -> int:
        return self._rest.tell()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self.held.append(connections())
        return self._rest.readinto(buffer)


def test_no_connection_is_held_while_a_body_is_read(app: Flask, user_id: int) -> None:
    sent = b"username=sari&password=x"
    body = WatchedBody(sent)
    options: dict[str, Any] = {"method": "POST", "input_stream": body, "content_length": len(sent)}
    with app.test_request_context(
        "/login", content_type="application/x-www-form-urlencoded", **options
    ):
        lookup.profile(user_id)
        assert parse_form(LoginForm).values()["username"] == "sari"
    assert body.held
    assert set(body.held) == {0}
