"""Rows whose time is over are deleted, by one worker at a time, and none that still counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from flask import Flask

from app.accounts import registration
from app.core import database
from app.extensions import db
from app.models import Counter, Lease, OneTime, Session, utcnow
from app.sessions import ending, opening
from app.sessions.origin import Origin
from app.system import housekeeping
from tests.support.databases import execute, select
from tests.support.holding import Operation
from tests.support.servers import Server

HERE = Origin("192.0.2.1", "test")
PAST, FUTURE = utcnow() - timedelta(days=40), utcnow() + timedelta(days=1)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app()
    with app.app_context():
        yield app


def session(**times: object) -> Session:
    row = opening._new_session(1, HERE, kept=True)
    row.user_id = None
    for name, value in times.items():
        setattr(row, name, value)
    return row


def one_time(number: int, expires_at: object) -> OneTime:
    return OneTime(
        purpose="login_code", secret_hash=str(number), created_at=PAST, expires_at=expires_at
    )


def test_what_is_over_goes_and_what_counts_stays(app: Flask, database_url: str) -> None:
    over = {"expires_at": PAST, "access_expires_at": PAST}
    db.session.add_all(
        [
            session(**over),
            session(revoked_at=PAST, access_expires_at=PAST),
            session(),
            session(expires_at=PAST, access_expires_at=FUTURE),  # it revokes a living token
            session(revoked_at=utcnow(), access_expires_at=PAST),  # not 30 days ago
            one_time(1, PAST), one_time(2, FUTURE),
            Counter(name="old", value=3, expires_at=PAST),
            Counter(name="new", value=3, expires_at=FUTURE),
        ]
    )  # fmt: skip
    db.session.commit()
    assert housekeeping.purge() == {"session": 2, "one_time": 1, "counter": 1}
    assert housekeeping.purge() == {"session": 0, "one_time": 0, "counter": 0}
    assert select(database_url, "SELECT count(*) FROM session") == [(3,)]
    assert select(database_url, "SELECT secret_hash FROM one_time") == [("2",)]
    assert select(database_url, "SELECT name FROM counter") == [("new",)]


def test_many_rows_go_in_batches(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BATCH_ROWS", 100)
    db.session.add_all([one_time(number, PAST) for number in range(250)])
    db.session.commit()
    assert housekeeping.purge()["one_time"] == 250
    assert select(database_url, "SELECT count(*) FROM one_time") == [(0,)]


@pytest.mark.parametrize("before", ["no lease", "a lease that is over"])
def test_of_several_workers_one_takes_the_lease(app: Flask, database_url: str, before: str) -> None:
    for _ in range(10):
        execute(database_url, "DELETE FROM lease")
        if before != "no lease":
            db.session.add(Lease(name="housekeeping", holder="dead", expires_at=PAST))
            db.session.commit()
        together = Barrier(4)

        def take(worker: int, together: Barrier = together) -> bool:
            together.wait()
            return housekeeping.acquire_lease(f"worker {worker}")

        workers = [Operation(app, partial(take, n)) for n in range(4)]
        assert [worker.outcome() for worker in workers] == ["done"] * 4
        assert sorted(worker.result for worker in workers) == [False, False, False, True]
        assert not housekeeping.acquire_lease("late")


def test_a_lease_is_taken_again_after_an_hour(app: Flask, database_url: str) -> None:
    assert housekeeping.acquire_lease("one")
    assert not housekeeping.acquire_lease("one")
    execute(database_url, "UPDATE lease SET expires_at = '2026-01-01'")
    assert housekeeping.acquire_lease("other")
    assert select(database_url, "SELECT holder FROM lease") == [("other",)]


@pytest.mark.system
def test_a_server_purges_by_itself(
    serve: Callable[..., AbstractContextManager[Server]], app: Flask, database_url: str
) -> None:
    from tests.support.environment import wait_until
    from tests.support.http import once

    db.session.add(one_time(1, PAST))
    db.session.commit()
    with serve(database_url, WORKERS="2") as server:
        for _ in range(4):
            once(server.url, "GET", "/healthz")
        wait_until(
            lambda: select(database_url, "SELECT count(*) FROM one_time") == [(0,)],
            "the server to purge",
        )
        assert len(select(database_url, "SELECT holder FROM lease")) == 1


def test_the_hundred_and_first_session_ends_the_oldest(app: Flask, database_url: str) -> None:
    user_id = registration.register("sari", "sari@example.com", "correct horse").id
    grants = [opening.open_session(user_id, 0, HERE, ["pwd"]) for _ in range(100)]
    living = "SELECT id FROM session WHERE revoked_at IS NULL ORDER BY id"
    assert len(select(database_url, living)) == 100
    opening.open_session(user_id, 0, HERE, ["pwd"])
    ids = [number for (number,) in select(database_url, living)]
    assert (len(ids), ids[0]) == (100, grants[1].session_id)
    # Of many opened at once as well.
    more = [
        Operation(app, lambda: opening.open_session(user_id, 0, HERE, ["pwd"])) for _ in range(8)
    ]
    assert {operation.outcome() for operation in more} == {"done"}
    assert len(select(database_url, living)) == 100


def test_thousands_of_sessions_end_by_one_statement(app: Flask, database_url: str) -> None:
    user_id = registration.register("sari", "sari@example.com", "correct horse").id
    rows = [session(user_id=user_id, access_expires_at=PAST) for _ in range(5000)]
    db.session.add_all(rows)
    db.session.commit()
    ended = ending.end_all(user_id)
    db.session.commit()
    assert (ended.count, list(ended.living)) == (5000, [])
    still = "SELECT count(*) FROM session WHERE revoked_at IS NULL"
    assert select(database_url, still) == [(0,)]
