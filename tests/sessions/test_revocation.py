"""What a worker knows of revocations: without a query, for a stated time, no more than it needs."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from app import create_app
from app.core.errors import RevocationUnknownError, TokenRevokedError
from app.extensions import db
from app.models import Session, utcnow
from app.sessions import revocation
from app.sessions.revocation import RevocationList, revocation_list
from tests.support.application import BROWSER, DUMMY, assert_problem, bearer
from tests.support.browsing import Browser
from tests.support.databases import execute, make_config, select
from tests.support.environment import wait_until


def test_the_resource_asks_the_database_nothing(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    header = bearer(tokens["access_token"])
    assert client.get("/resource", headers=header).status_code == 200
    revocation_list.of(app).stop()  # its own look once a second is not the request's
    statements = []
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert client.get("/resource", headers=header).status_code == 200
    assert client.get("/resource", headers=bearer("bad")).status_code == 401
    assert statements == []
    assert client.get("/api/auth/me/", headers=header).status_code == 200
    assert statements != []  # the listener would have seen one


def test_the_resource_page_asks_the_database_nothing(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    page = client.get("/login", headers=BROWSER).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    client.post("/login", data=dummy | {"csrf_token": token}, headers=BROWSER)
    assert "akses sukses" in client.get("/resource", headers=BROWSER).text
    revocation_list.of(app).stop()
    statements = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert "akses sukses" in client.get("/resource", headers=BROWSER).text
    assert statements == []


def test_the_page_of_a_pasted_token_asks_the_database_nothing(
    app: Flask, tokens: dict[str, Any]
) -> None:
    browser = Browser(app)
    assert "akses sukses" in browser.post("/resource", token=tokens["access_token"]).text
    revocation_list.of(app).stop()
    statements = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert "akses sukses" in browser.post("/resource", token=tokens["access_token"]).text
    assert browser.post("/resource", token=tokens["refresh_token"]).status_code == 401
    assert statements == []


def test_the_list_forgets_what_no_access_token_can_outlive(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    client.post("/api/auth/logout/", data={"refresh": tokens["refresh_token"]})
    known = RevocationList(app)
    with app.app_context():
        (session_id,) = db.session.scalars(db.select(Session.id))
        db.session.rollback()
        known.refresh(db.engine)
        with pytest.raises(TokenRevokedError):
            known.check(session_id)

        over = utcnow() - timedelta(seconds=1)
        db.session.execute(update(Session).values(access_expires_at=over))
        db.session.commit()
        fresh = RevocationList(app)
        fresh.refresh(db.engine)
        fresh.check(session_id)
        fresh.add(session_id, over)
        with pytest.raises(TokenRevokedError):
            fresh.check(session_id)
        fresh.refresh(db.engine)
        fresh.check(session_id)


def test_without_a_database_it_cannot_tell(tmp_path: Path) -> None:
    url = "mysql://root@127.0.0.1:1/nothing"
    lost = create_app(make_config(url, tmp_path / "lost"))
    known = revocation_list.of(lost)
    with pytest.raises(RevocationUnknownError):
        known.check(1)
    known.stop()


class Outage:
    """An application's database that can be away, and a list of revocations with a clock."""

    def __init__(self, app: Flask) -> None:
        self.now, self.is_away = 0.0, False
        self._app = app
        self.known = self.another_list(interval=0.05)
        revocation_list.bind(app, self.known)
        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", self._refuse_if_away)

    def another_list(self, interval: float) -> RevocationList:
        return RevocationList(self._app, interval, clock=lambda: self.now)

    def _refuse_if_away(self, *_: object) -> None:
        if self.is_away:
            raise OperationalError("SELECT", None, ConnectionError())


@pytest.fixture
def outage(app: Flask) -> Iterator[Outage]:
    outage = Outage(app)
    yield outage
    stop(outage.known)


def stop(known: RevocationList) -> None:
    """End its thread; one that does not end is a failure elsewhere."""
    stopping = threading.Thread(target=known.stop, daemon=True)
    stopping.start()
    stopping.join(timeout=10)


def test_for_60_seconds_it_goes_on_with_what_it_knows(app: Flask, outage: Outage) -> None:
    known = outage.known
    with app.app_context():
        known.refresh(db.engine)
    known.add(7, utcnow() + timedelta(seconds=900))
    outage.is_away, outage.now = True, 60.0
    known.check(1)
    with pytest.raises(TokenRevokedError):
        known.check(7)

    outage.now = 60.1
    with pytest.raises(RevocationUnknownError):
        known.check(1)
    with pytest.raises(TokenRevokedError):
        known.check(7)


def test_while_it_cannot_tell_no_token_is_good_and_none_is_refused_for_good(
    client: FlaskClient, tokens: dict[str, Any], database_url: str, outage: Outage
) -> None:
    other = client.post("/login", data=DUMMY).get_json()
    headers = [bearer(pair["access_token"]) for pair in (tokens, other)]

    def opened() -> list[int]:
        return [client.get("/resource", headers=header).status_code for header in headers]

    assert opened() == [200, 200]
    outage.is_away, outage.now = True, 60.0
    assert opened() == [200, 200]
    outage.now = 60.1
    for header in headers:
        refused = client.get("/resource", headers=header)
        assert_problem(refused, 503, "service_unavailable")
        assert refused.headers["Retry-After"] == "5"

    # Back, and one of the two was revoked by hand meanwhile.
    execute(
        database_url,
        f"UPDATE session SET revoked_at = '{utcnow()}.000000' "
        "WHERE id = (SELECT id FROM (SELECT max(id) AS id FROM session) AS newest)",
    )
    outage.is_away = False
    wait_until(lambda: opened() == [200, 401], "the database to be asked again")


# --- the thread that looks -----------------------------------------------------------------------


@pytest.fixture
def known(app: Flask) -> Iterator[RevocationList]:
    """A list of its own, whose thread starts with the first check."""
    known = RevocationList(app)
    yield known
    stop(known)


@pytest.fixture
def started() -> Callable[[], list[threading.Thread]]:
    """The living threads that a test has started."""
    before = set(threading.enumerate())
    return lambda: [thread for thread in threading.enumerate() if thread not in before]


def at_each_look(app: Flask, then: Callable[[], object]) -> None:
    """Do this whenever a list is about to ask the database for its sums."""

    def note(*call: object) -> None:
        if "count(*)" in str(call[2]):
            then()

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)


@pytest.mark.system
def test_it_looks_every_second(app: Flask, known: RevocationList) -> None:
    looks: queue.Queue[float] = queue.Queue()
    at_each_look(app, lambda: looks.put(time.monotonic()))
    known.check(1)
    times = [looks.get(timeout=30) for _ in range(3)]
    between = [later - earlier for earlier, later in pairwise(times)]
    assert min(between) >= 0.99, "it does not ask without a pause"
    assert min(between) < 2, "each worker learns within two seconds"


def test_the_first_check_waits_for_the_first_look_and_no_longer(
    app: Flask, known: RevocationList
) -> None:
    began = time.monotonic()
    known.check(1)
    assert time.monotonic() - began < 4


def test_the_first_check_refuses_what_the_database_had_revoked_before(
    tokens: dict[str, Any], database_url: str, known: RevocationList
) -> None:
    execute(database_url, f"UPDATE session SET revoked_at = '{utcnow()}.000000'")
    ((session_id,),) = select(database_url, "SELECT id FROM session")
    with pytest.raises(TokenRevokedError):
        known.check(session_id)


def test_a_first_look_that_took_60_seconds_is_believed(app: Flask, outage: Outage) -> None:
    known = outage.another_list(interval=600)
    at_each_look(app, lambda: setattr(outage, "now", 60.0))
    known.check(1)
    stop(known)


def test_nobody_waits_longer_than_4_seconds_for_a_database_that_hangs(
    app: Flask, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Event(threading.Event):
        """The time that one waits for it passes at once."""

        def wait(self, timeout: float | None = None) -> bool:
            outage.now += 0 if self.is_set() else timeout or 0
            return self.is_set()

    answers = threading.Event()
    at_each_look(app, lambda: answers.wait(timeout=30))
    program = SimpleNamespace(Event=Event, Lock=threading.Lock, Thread=threading.Thread)
    monkeypatch.setattr(revocation, "threading", program)
    known = outage.another_list(interval=1)
    try:
        with pytest.raises(RevocationUnknownError):
            known.check(1)
        assert outage.now == 4
    finally:
        answers.set()
        known.stop()


def test_one_thread_looks_however_many_checks_need_it(
    outage: Outage, started: Callable[[], list[threading.Thread]]
) -> None:
    known = outage.known
    known.check(1)
    (thread,) = started()
    assert thread.daemon, "a process that ends does not wait for it"
    outage.is_away, outage.now = True, 60.1
    for _ in range(3):
        with pytest.raises(RevocationUnknownError):
            known.check(1)
    assert started() == [thread]


def test_an_error_that_nobody_expected_does_not_end_the_thread(
    app: Flask, outage: Outage, started: Callable[[], list[threading.Thread]]
) -> None:
    known = outage.known
    known.check(1)
    threads = started()
    raised: list[Exception] = []
    ended: list[int] = []

    def fail_once() -> None:
        if raised:
            ended.append(1)
            return
        raised.append(MemoryError())
        raise raised[0]

    at_each_look(app, fail_once)
    wait_until(lambda: ended, "the next look")
    outage.now = 1.0
    known.check(1)
    assert started() == threads
    assert threads[0].is_alive()


def test_a_thread_that_died_is_replaced(
    app: Flask,
    outage: Outage,
    started: Callable[[], list[threading.Thread]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    died: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: died.append(args.exc_type))
    known = outage.known
    known.check(1)
    (thread,) = started()

    class Died(BaseException):
        pass

    def fail_once() -> None:
        if not died:
            raise Died

    at_each_look(app, fail_once)
    thread.join(timeout=30)
    assert died == [Died]
    outage.now = 60.1

    def is_good() -> bool:
        try:
            known.check(1)
        except RevocationUnknownError:
            return False
        return True

    wait_until(is_good, "a new thread to look", seconds=10)
    (new,) = started()
    assert new is not thread


def test_a_look_that_failed_is_recorded(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    outage.is_away = True
    with pytest.raises(RevocationUnknownError):
        outage.known.check(1)
    records: list[Any] = caplog.records
    failed = [record for record in records if record.msg == "revocation_list.refresh_failed"]
    assert failed[0].levelname == "ERROR"
    assert failed[0].facts == {"error": "OperationalError", "outcome": "failure"}


def test_to_stop_it_is_to_wait_for_its_last_look(app: Flask, outage: Outage) -> None:
    known = outage.known
    looking, stopped = threading.Event(), threading.Event()
    stopped_first: queue.Queue[bool] = queue.Queue()

    def look() -> None:
        looking.set()
        stopped_first.put(stopped.wait(timeout=0.5))

    def stop() -> None:
        known.stop()
        stopped.set()

    known.check(1)
    at_each_look(app, look)
    assert looking.wait(timeout=30)
    threading.Thread(target=stop, daemon=True).start()
    assert stopped_first.get(timeout=10) is False
    assert stopped.wait(timeout=10), "the thread ends"
