"""Passwords are hashed in turn by client address, in threads that give way to everybody else."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from ipaddress import ip_network
from operator import floordiv
from typing import Any

import bcrypt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.errors import BusyError
from app.passwords import hashing, hashing_pool
from app.passwords.hashing_pool import FairQueue, FlowKey, HashingPool, Request
from tests.support.application import DUMMY, assert_problem

PATIENT = 60.0
SOON = 10.0  # a test that waits longer has failed
LOGIN_FIELDS = ("username", "password")


class Held:
    """A pool, every thread of which is taken until it is let go; then it notes what it served."""

    def __init__(self, pool: HashingPool, threads: int, flow_key: FlowKey | None = None) -> None:
        self.pool = pool
        self.served: list[str] = []
        self._go_on = threading.Event()
        started = threading.Barrier(threads + 1)

        def hold() -> None:
            started.wait(SOON)
            assert self._go_on.wait(SOON)

        turns = [flow_key or FlowKey(f"held {number}", "a") for number in range(threads)]
        self.holding = [pool.submit(hold, PATIENT, turn) for turn in turns]
        started.wait(SOON)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self._go_on.set()
        for holding in self.holding:
            holding.result(SOON)

    def add(self, name: str, address: str, account: str = "a") -> Future[Any]:
        """A request that notes its name once it is served."""
        return self.pool.submit(
            lambda: self.served.append(name), PATIENT, FlowKey(address, account)
        )

    def order(self, *requests: Future[Any]) -> str:
        """Let the threads go on; the names in the order in which they were served."""
        self._go_on.set()
        for request in requests:
            request.result(SOON)
        return " ".join(self.served)


@pytest.fixture
def held() -> Iterator[Held]:
    """A pool of one thread that is taken, and room for a hundred."""
    with Held(HashingPool(threads=1, places=100), 1) as held:
        yield held


def busy(request: Future[Any]) -> bool:
    """Whether a request was turned away; without waiting for it."""
    return request.done() and isinstance(request.exception(), BusyError)


def test_it_returns_what_the_work_returns_and_raises_what_it_raises() -> None:
    pool = HashingPool(threads=1, places=1)
    flow_key = FlowKey("192.0.2.1", "a")
    assert pool.run(lambda: 7, PATIENT, flow_key) == 7
    with pytest.raises(ZeroDivisionError):
        pool.run(lambda: 1 // 0, PATIENT, flow_key)
    assert pool.run(lambda: 8, PATIENT, flow_key) == 8  # its place is free again


# --- the order ------------------------------------------------------------------------------------


def test_addresses_take_turns(held: Held) -> None:
    flood = [held.add(f"1.{n}", "192.0.2.1", f"account {n}") for n in range(4)]
    others = [held.add(f"2.{n}", "192.0.2.2") for n in range(2)]
    others.append(held.add("3.0", "192.0.2.3"))
    assert held.order(*flood, *others) == "1.0 2.0 3.0 1.1 2.1 1.2 1.3"


def test_accounts_of_an_address_take_turns(held: Held) -> None:
    one = [held.add(f"1{name}", "192.0.2.1", name[0]) for name in ("a0", "a1", "a2", "b0", "b1")]
    two = [held.add(f"2{name}", "192.0.2.2", name[0]) for name in ("a0", "a1")]
    assert held.order(*one, *two) == "1a0 2a0 1b0 2a1 1a1 1b1 1a2"


def test_an_address_that_is_being_hashed_for_lets_the_others_go_first() -> None:
    queue = FairQueue()
    one, two, three = (("address", f"192.0.2.{n}") for n in (1, 2, 3))
    for owner in (one, one, two, two, three):
        queue.add(Request(owner, "a", lambda: None))
    taken = [queue.take([one, one]), queue.take([one, two]), queue.take([two]), queue.take([three])]
    assert [request and request.owner for request in taken] == [two, three, one, two]


def test_a_network_is_one_address(held: Held) -> None:
    flood = [held.add(f"1.{n}", f"2001:db8::{n}") for n in range(3)]
    mapped = [held.add("2.0", "192.0.2.2"), held.add("2.1", "::ffff:192.0.2.2")]
    assert held.order(*flood, *mapped) == "1.0 2.0 1.1 2.1 1.2"


def test_accounts_of_a_trusted_back_end_take_turns_with_addresses() -> None:
    trusted = [ip_network("10.0.0.0/24"), ip_network("2001:db8:5::5")]
    with Held(HashingPool(threads=1, places=100, trusted=trusted), 1) as held:
        stranger = [held.add(f"x{n}", "192.0.2.1", str(n)) for n in range(3)]
        flood = [held.add(f"a{n}", "10.0.0.7", "a") for n in range(3)]
        others = [held.add("b", "10.0.0.8", "b"), held.add("c", "2001:db8:5::5", "c")]
        others.append(held.add("a3", "2001:db8:5::5", "a"))  # one account, whatever the back end
        named = [held.add("d", "10.0.0.8", "192.0.2.1")]  # not the address of that name
        assert held.order(*stranger, *flood, *others, *named) == "x0 a0 b c d x1 a1 x2 a2 a3"


def test_an_address_alone_has_all_threads() -> None:
    pool = HashingPool(threads=4, places=4)
    with Held(pool, 4, FlowKey("192.0.2.1", "a")) as held:
        assert all(request.running() or not request.done() for request in held.holding)


# --- when all places are taken --------------------------------------------------------------------


def test_a_full_pool_refuses_at_once_and_goes_on_afterwards() -> None:
    pool = HashingPool(threads=3, places=3)
    with Held(pool, 3), pytest.raises(BusyError) as refusal:
        pool.run(lambda: pytest.fail("no place"), PATIENT, FlowKey("192.0.2.1", "a"))
    assert refusal.value.retry_after == 2
    assert pool.run(lambda: 9, PATIENT, FlowKey("192.0.2.1", "a")) == 9


def test_the_newest_request_of_the_address_with_most_gives_way() -> None:
    with Held(HashingPool(threads=1, places=6), 1) as held:
        flood = [held.add(f"1.{n}", "192.0.2.1", account) for n, account in enumerate("aba")]
        others = [held.add("2.0", "192.0.2.2"), held.add("2.1", "192.0.2.2")]
        newcomer = held.add("3.0", "192.0.2.3")
        assert [busy(request) for request in flood] == [False, False, True]
        assert held.order(*flood[:2], *others, newcomer) == "1.0 2.0 3.0 1.1 2.1"


def test_the_address_with_most_refuses_itself() -> None:
    with Held(HashingPool(threads=1, places=5), 1) as held:
        flood = [held.add(f"1.{n}", "192.0.2.1") for n in range(3)]
        other = held.add("2.0", "192.0.2.2")
        with pytest.raises(BusyError):
            held.add("1.3", "192.0.2.1")
        assert held.order(*flood, other) == "1.0 2.0 1.1 1.2"


def test_an_arrival_that_makes_its_address_one_of_those_with_most_is_the_newest() -> None:
    """Two floods would otherwise evict each other's requests for ever."""
    with Held(HashingPool(threads=1, places=5), 1) as held:
        requests = [held.add(f"{n % 2 + 1}.{n // 2}", f"192.0.2.{n % 2 + 1}") for n in range(4)]
        for address in ("192.0.2.1", "192.0.2.2"):
            with pytest.raises(BusyError):
                held.add("more", address)
        newcomer = held.add("3.0", "192.0.2.3")
        assert [busy(request) for request in requests] == [False, False, False, True]
        assert held.order(*requests[:3], newcomer) == "1.0 2.0 3.0 1.1"


def test_what_is_being_hashed_counts_and_is_not_evicted() -> None:
    with Held(HashingPool(threads=2, places=5), 2, FlowKey("192.0.2.1", "a")) as held:
        flood = held.add("1.2", "192.0.2.1")
        others = [held.add("2.0", "192.0.2.2"), held.add("2.1", "192.0.2.2")]
        newcomer = held.add("3.0", "192.0.2.3")
        assert busy(flood)
        assert held.order(*others, newcomer)
    assert [request.exception() for request in held.holding] == [None, None]


def test_an_evicted_caller_is_told_at_once() -> None:
    with Held(HashingPool(threads=1, places=3), 1) as held, ThreadPoolExecutor() as clients:
        arrived = threading.Event()
        submit = held.pool.submit

        def noting(*request: Any) -> Future[Any]:
            try:
                return submit(*request)
            finally:
                arrived.set()

        held.pool.submit = noting  # type: ignore[method-assign, assignment]
        work, flow_key = (lambda: pytest.fail("evicted"), FlowKey("192.0.2.1", "a"))
        first = held.add("1.0", "192.0.2.1")
        arrived.clear()
        evicted = clients.submit(held.pool.run, work, PATIENT, flow_key)
        assert arrived.wait(SOON)
        newcomer = held.add("2.0", "192.0.2.2")
        with pytest.raises(BusyError):
            evicted.result(SOON)  # while the thread is still taken
        assert held.order(first, newcomer) == "1.0 2.0"


# --- the wait that is foreseen --------------------------------------------------------------------


@pytest.fixture
def slow() -> HashingPool:
    """A pool of two threads that has learnt that a password takes a second."""
    pool = HashingPool(threads=2, places=100)
    pool._seconds = 1.0
    return pool


def waits(held: Held, seconds: float, flow_key: FlowKey) -> bool:
    """Whether a request is foreseen to wait for just these seconds."""
    with pytest.raises(BusyError):
        held.pool.submit(lambda: None, seconds - 0.01, flow_key)
    request = held.pool.submit(lambda: None, seconds + 0.01, flow_key)
    return not request.done()


def test_it_refuses_at_once_who_would_wait_too_long() -> None:
    pool = HashingPool(threads=1, places=2)
    flow_key = FlowKey("192.0.2.1", "a")
    pool.run(lambda: bcrypt.hashpw(b"a password", bcrypt.gensalt(8)), PATIENT, flow_key)
    with Held(pool, 1):
        with pytest.raises(BusyError):
            pool.submit(lambda: pytest.fail("its turn did not come soon"), 0.0001, flow_key)
        patient = pool.submit(lambda: 9, PATIENT, flow_key)
    assert patient.result(SOON) == 9
    assert pool.run(lambda: 10, 0.0001, flow_key) == 10  # no other is before it


def test_of_a_flood_only_one_is_before_another_address(slow: HashingPool) -> None:
    with Held(slow, 2, FlowKey("192.0.2.1", "a")) as held:
        for n in range(40):
            held.add(f"1.{n}", "192.0.2.1", str(n))
        assert waits(held, (2 + 40) / 2, FlowKey("192.0.2.1", "new"))
        assert waits(held, (2 + 1) / 2, FlowKey("192.0.2.2", "a"))  # two are being hashed
        assert waits(held, (2 + 1 + 1) / 2, FlowKey("192.0.2.3", "a"))
        # Behind its own first one: after two of the flood and one of the third address.
        assert waits(held, (2 + 1 + 2 + 1) / 2, FlowKey("192.0.2.2", "a"))


def test_of_an_account_only_one_is_before_another_of_the_address(slow: HashingPool) -> None:
    with Held(slow, 2) as held:
        for n in range(10):
            held.add(f"a{n}", "192.0.2.1", "a")
        assert waits(held, (2 + 1) / 2, FlowKey("192.0.2.1", "b"))
        assert waits(held, (2 + 3) / 2, FlowKey("192.0.2.1", "b"))


# --- all of it, at random -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_no_place_is_lost_and_every_caller_is_answered(seed: int) -> None:
    """Clients of a few addresses, at random and all at once, in a pool that is too small."""
    pool = HashingPool(threads=2, places=6, trusted=[ip_network("10.0.0.1")])
    addresses = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "10.0.0.1")

    def client(number: int) -> Counter[str]:
        chance = random.Random(f"{seed} {number}")
        told: Counter[str] = Counter()
        for n in range(60):
            flow_key = FlowKey(chance.choice(addresses), chance.choice("abc"))
            fails = chance.random() < 0.2
            try:
                assert pool.run(partial(floordiv, n, not fails), PATIENT, flow_key) == n
                told["good"] += 1
            except ZeroDivisionError:
                told["failed"] += 1
            except BusyError:
                told["busy"] += 1
        return told

    with ThreadPoolExecutor(12) as clients:
        told = sum(clients.map(client, range(12)), Counter())
    assert told.total() == 12 * 60
    assert told["good"]
    assert told["failed"]
    with Held(pool, 2, FlowKey("192.0.2.9", "a")) as held:  # both threads live, all places are free
        requests = [held.add(str(n), "192.0.2.1") for n in range(4)]
        with pytest.raises(BusyError):
            held.add("too many", "192.0.2.1")
        assert sorted(held.order(*requests).split()) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("seed", range(50))
def test_no_more_are_served_before_a_request_than_foreseen(seed: int) -> None:
    chance = random.Random(seed)
    queue = FairQueue()

    def request() -> Request:
        owner = "address", f"192.0.2.{chance.randrange(4)}"
        return Request(owner, chance.choice("abc"), lambda: None)

    for _ in range(60):
        queue.add(request())
        if chance.random() < 0.4:
            queue.take()
    new = request()
    foreseen = queue.before(new.owner, new.account)
    queue.add(new)
    served = list(iter(queue.take, None))
    assert served.index(new) <= foreseen
    assert len(queue) == len(queue.owners()) == 0


# --- as the service uses it -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/register", "/api/auth/login/"])
def test_a_full_pool_answers_come_again(app: Flask, client: FlaskClient, path: str) -> None:
    hashing_pool.pool.bind(app, HashingPool(threads=1, places=1))
    with Held(hashing_pool.pool.of(app), 1):
        assert client.get("/healthz").status_code == 200
        assert_problem(client.post("/login", json={}), 400, "validation_error", *LOGIN_FIELDS)
        answer = client.post(path, data=DUMMY)
        assert_problem(answer, 503, "service_unavailable")
        assert answer.headers["Retry-After"] == "2"
    assert client.post("/register", data=DUMMY).status_code == 201


def noted_turns(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[FlowKey]:
    """For whom the application's pool hashes from now on."""
    pool = hashing_pool.pool.of(app)
    turns: list[FlowKey] = []
    submit = pool.submit

    def note(work: Callable[[], Any], patience: float, flow_key: FlowKey) -> Future[Any]:
        turns.append(flow_key)
        return submit(work, patience, flow_key)

    monkeypatch.setattr(pool, "submit", note)
    return turns


def test_a_password_is_hashed_in_its_turn(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = noted_turns(app, monkeypatch)
    flow_key = FlowKey("192.0.2.1", "7")
    with app.app_context():
        stored = hashing.hash_password("a password", flow_key)
        assert hashing.verify("a password", stored, flow_key)
    assert turns == [flow_key, flow_key]


def test_a_login_counts_for_its_address_and_account(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = client.post("/register", data=DUMMY).get_json()["user"]["id"]
    turns = noted_turns(app, monkeypatch)
    for name in (DUMMY["username"], DUMMY["email"], "Other", "OTHER"):
        fields = {"username": name, "password": DUMMY["password"]}
        client.post("/login", data=fields, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    mine, other = FlowKey("192.0.2.1", str(user_id)), FlowKey("192.0.2.1", "other")
    assert turns == [mine, mine, other, other]


@pytest.mark.skipif(sys.platform != "linux", reason="a priority belongs to the whole process here")
def test_its_threads_give_way_and_no_others_do() -> None:
    pool = HashingPool(threads=1, places=1)
    before = os.getpriority(os.PRIO_PROCESS, 0)

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert pool.run(priority, PATIENT, FlowKey("192.0.2.1", "a")) == 19
    assert priority() == before


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is bound to a core elsewhere")
def test_its_threads_use_every_core_though_their_worker_has_one() -> None:
    every = os.sched_getaffinity(0)
    pool = HashingPool(threads=1, places=1)

    def cores() -> set[int]:
        return os.sched_getaffinity(threading.get_native_id())

    with ThreadPoolExecutor(1) as worker:  # a thread starts others on the cores that it has
        worker.submit(os.sched_setaffinity, 0, {min(every)}).result()
        used = worker.submit(pool.run, cores, PATIENT, FlowKey("192.0.2.1", "a")).result()
        assert worker.submit(cores).result() == {min(every)}
    assert used == every
