"""Transactions that are repeated: which, how often, and that nothing happens twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app import create_app
from app.accounts import password_change, registration
from app.core import database
from app.core.database import ATTEMPTS, transaction
from app.core.errors import TokenRevokedError, UsernameTakenError
from app.extensions import db
from app.models import utcnow
from app.sessions import opening, refreshing
from app.sessions.opening import Grant
from app.sessions.origin import Actor, Origin
from app.sessions.revocation import revocation_list
from tests.support.application import close
from tests.support.databases import empty_tables, execute, make_config, select
from tests.support.environment import wait_until
from tests.support.holding import Operation
from tests.support.losing import LosingNetwork

ADD = "INSERT INTO counter (name, value, expires_at) VALUES ('a', 1, '2099-01-01')"
CONNECTION = text("SELECT CONNECTION_ID()")
HERE = Origin("192.0.2.1", "test")
PASSWORD, NEW_PASSWORD = "correct horse", "battery staple"
ROUNDS = 10


@pytest.fixture
def network(mysql_migrated: str) -> Iterator[LosingNetwork]:
    empty_tables(mysql_migrated)
    with LosingNetwork(mysql_migrated) as network:
        yield network
    empty_tables(mysql_migrated)


@pytest.fixture
def application(network: LosingNetwork, tmp_path: Path) -> Iterator[Flask]:
    app = create_app(make_config(network.url, tmp_path / "instance"))
    with app.app_context():
        yield app
    close(app)


def add() -> None:
    db.session.execute(text(ADD))
    db.session.commit()


def connection_number() -> int:
    return int(db.session.scalar(CONNECTION) or 0)


# What is repeated


@pytest.mark.usefixtures("application")
def test_a_connection_lost_before_a_statement(mysql_migrated: str) -> None:
    used: list[int] = []

    @transaction()
    def added() -> str:
        used.append(connection_number())
        if len(used) == 1:
            execute(mysql_migrated, f"KILL {used[0]}")
        add()
        return "added"

    assert added() == "added"
    assert len(set(used)) == 2
    assert select(mysql_migrated, "SELECT name FROM counter") == [("a",)]


@pytest.mark.usefixtures("application")
@pytest.mark.parametrize("idempotent", [True, False])
def test_an_answer_to_a_commit_that_is_lost(
    network: LosingNetwork, mysql_migrated: str, *, idempotent: bool
) -> None:
    runs: list[int] = []

    @transaction(idempotent=idempotent)
    def count() -> None:
        runs.append(1)
        db.session.execute(text(f"{ADD} ON DUPLICATE KEY UPDATE value = value + 1"))
        db.session.commit()

    network.lose("COMMIT")
    if idempotent:
        count()
    else:
        with pytest.raises(OperationalError):
            count()
        db.session.rollback()
    wait_until(lambda: network.lost, "the answer to be lost")
    assert len(runs) == 1 + idempotent
    assert select(mysql_migrated, "SELECT value FROM counter") == [(len(runs),)]


def test_two_transactions_that_deadlock(application: Flask, mysql_migrated: str) -> None:
    execute(mysql_migrated, ADD, ADD.replace("'a'", "'b'"))
    runs: list[str] = []
    for _ in range(ROUNDS):
        both_hold_one = threading.Barrier(2)
        runs.clear()

        @transaction()
        def count(first: str, second: str, meet: threading.Barrier = both_hold_one) -> None:
            runs.append(first)
            for name in (first, second):
                db.session.execute(
                    text(f"UPDATE counter SET value = value + 1 WHERE name = '{name}'")
                )
                if runs.count(first) == 1 and name == first:
                    meet.wait(10)
            db.session.commit()

        operations = [Operation(application, partial(count, *names)) for names in ("ab", "ba")]
        assert [operation.outcome() for operation in operations] == ["done", "done"]
        assert len(runs) == 3
    assert select(mysql_migrated, "SELECT value FROM counter") == [(1 + 2 * ROUNDS,)] * 2


@pytest.mark.usefixtures("application")
@pytest.mark.parametrize("number", [1053, 1290, 1836])
def test_a_server_that_is_no_writer_any_more_is_left(number: int) -> None:
    """Every connection that was open: each may lead to that server."""
    used: list[int] = []

    @transaction()
    def write() -> None:
        used.append(connection_number())
        if len(used) == 1:
            db.session.execute(text(f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}"))
        add()

    with db.engine.connect() as other:
        former = other.scalar(CONNECTION)
    with db.engine.connect() as beside:
        beside.scalar(CONNECTION)
        write()
    assert len(set(used)) == 2
    with db.engine.connect() as one, db.engine.connect() as another:
        now = {one.scalar(CONNECTION), another.scalar(CONNECTION)}
    assert not now & {former, used[0]}


# What is not


@pytest.mark.usefixtures("application")
@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("number", [3100, 3101])
def test_a_group_that_undid_a_transaction_may_have_committed_it(
    number: int, *, idempotent: bool
) -> None:
    runs: list[int] = []

    @transaction(idempotent=idempotent)
    def write() -> None:
        runs.append(1)
        db.session.execute(text(f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}"))

    with pytest.raises(OperationalError):
        write()
    db.session.rollback()
    assert len(runs) == (ATTEMPTS if idempotent else 1)


@pytest.mark.usefixtures("application")
def test_a_failure_that_lasts_ends_as_what_it_is(mysql_migrated: str) -> None:
    used: list[int] = []

    @transaction()
    def never() -> None:
        used.append(connection_number())
        execute(mysql_migrated, f"KILL {used[-1]}")
        db.session.execute(text(ADD))

    with pytest.raises(OperationalError) as lost:
        never()
    db.session.rollback()
    assert lost.value.connection_invalidated
    assert len(set(used)) == ATTEMPTS


@pytest.mark.usefixtures("application")
def test_nothing_is_repeated_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE", -1)
    runs: list[int] = []

    @transaction()
    def write() -> None:
        runs.append(1)
        db.session.execute(text("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213"))

    with pytest.raises(OperationalError):
        write()
    db.session.rollback()
    assert runs == [1]


def test_another_error(app: Flask) -> None:
    runs: list[int] = []

    @transaction(idempotent=True)
    def twice() -> None:
        runs.append(1)
        db.session.execute(text(ADD))
        db.session.execute(text(ADD))

    with app.app_context(), pytest.raises(IntegrityError):
        twice()
    assert runs == [1]


def test_one_within_another_is_a_part_of_it(app: Flask) -> None:
    @transaction()
    def outer() -> None:
        db.session.execute(text(ADD))
        inner()

    @transaction()
    def inner() -> None:
        db.session.commit()

    with app.app_context():
        outer()
        assert db.session.scalar(text("SELECT count(*) FROM counter")) == 1


def test_one_that_began_outside_is_a_defect(app: Flask) -> None:
    with app.app_context():
        db.session.execute(text(ADD))
        with pytest.raises(RuntimeError):
            transaction()(db.session.commit)()
        db.session.rollback()
        transaction()(db.session.commit)()


# The use cases


def stored(mysql_migrated: str, table: str) -> int:
    ((count,),) = select(mysql_migrated, f"SELECT count(*) FROM {table}")
    return int(count)


def registered() -> Grant:
    user = registration.register("sari", "sari@example.com", PASSWORD)
    return opening.open_session(user.id, 0, HERE, ["pwd"], proven_at=utcnow())


@pytest.mark.usefixtures("application")
def test_a_registration_whose_answer_was_lost_is_made_once(
    network: LosingNetwork, mysql_migrated: str
) -> None:
    for number in range(ROUNDS):
        network.lose("COMMIT")
        made = registration.register(f"person{number}", f"{number}@example.com", PASSWORD)
        assert made.username == f"person{number}"
        wait_until(lambda: network.lost, "the answer to be lost")
        with pytest.raises(UsernameTakenError) as refused:
            registration.register(f"person{number}", f"{number}@example.com", PASSWORD)
        assert set(refused.value.errors) == {"username", "email"}
    assert stored(mysql_migrated, "user") == ROUNDS


def test_a_refresh_is_one_statement_and_makes_no_orm_session(app: Flask) -> None:
    revocation_list.of(app).stop()  # its own look once a second is no refresh
    with app.app_context():
        token = registered().refresh_token
        db.session.remove()
        statements: list[str] = []
        event.listen(db.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
        refreshing.refresh(token, HERE)
        assert not db.session.registry.has()
    assert [statement.split()[0] for statement in statements] == ["UPDATE"]


@pytest.mark.usefixtures("application")
def test_a_refresh_whose_answer_was_lost_has_the_same_successor(
    network: LosingNetwork, mysql_migrated: str
) -> None:
    current = registered().refresh_token
    for _ in range(ROUNDS):
        network.lose("UPDATE session")
        pair = refreshing.refresh(current, HERE)
        wait_until(lambda: network.lost, "the answer to be lost")
        assert refreshing.refresh(current, HERE).refresh_token == pair.refresh_token
        current = pair.refresh_token
    assert select(mysql_migrated, "SELECT rotation FROM session") == [(ROUNDS,)]


@pytest.mark.usefixtures("application")
def test_a_password_change_whose_answer_was_lost_is_done_once(
    network: LosingNetwork, mysql_migrated: str
) -> None:
    grant = registered()
    actor = Actor(grant.user_id, grant.session_id, HERE.client)
    other = opening.open_session(grant.user_id, 0, HERE, ["pwd"])
    passwords = [PASSWORD, NEW_PASSWORD] * (ROUNDS // 2)
    for number, (old, new) in enumerate(pairwise(passwords), 1):
        network.lose("COMMIT", after=number % 2)  # of the proof, or of the change
        password_change.change_password(actor, old, new)
        wait_until(lambda: network.lost, "the answer to be lost")
        assert select(mysql_migrated, "SELECT auth_epoch FROM user") == [(number,)]
    with pytest.raises(TokenRevokedError):
        refreshing.refresh(other.refresh_token, HERE)


@pytest.mark.usefixtures("application")
def test_a_login_whose_answer_was_lost_is_not_repeated(
    network: LosingNetwork, mysql_migrated: str
) -> None:
    user_id = registered().user_id
    before = stored(mysql_migrated, "session")
    network.lose("COMMIT")
    with pytest.raises(OperationalError):
        opening.open_session(user_id, 0, HERE, ["pwd"])
    db.session.rollback()
    wait_until(lambda: network.lost, "the answer to be lost")
    assert stored(mysql_migrated, "session") == before + 1


def test_a_registration_that_deadlocks_with_a_batch_learns_who_has_the_name(
    application: Flask, mysql_migrated: str
) -> None:
    """As an import does: the batch has the e-mail and wants the username, the registration both."""

    def insert(*names: str) -> str:
        rows = ", ".join(f"('{n}', '{n}', '{n}@example.com', '{n}@example.com')" for n in names)
        return f"INSERT INTO user (username, username_key, email, email_key) VALUES {rows}"

    engine = create_engine(mysql_migrated)
    for number in range(ROUNDS):
        first, second = f"first{number}", f"second{number}"
        with engine.connect() as batch:
            # The transaction that has written less is the one that is undone.
            many = [f"other{number}.{row}" for row in range(50)]
            batch.execute(text(insert(first, *many)))
            person = (second, f"{first}@example.com", PASSWORD)
            registering = Operation(application, partial(registration.register, *person))
            wait_until(lambda: is_waiting(mysql_migrated), "the registration to wait")
            batch.execute(text(insert(second)))
            batch.commit()
        assert registering.outcome() == "UsernameTakenError"
    engine.dispose()


def is_waiting(url: str) -> bool:
    """Whether an INSERT has begun, and so waits for the row of another."""
    mine = "db = DATABASE() AND info LIKE 'INSERT INTO user%'"
    return select(url, f"SELECT count(*) FROM information_schema.processlist WHERE {mine}") == [
        (1,)
    ]
