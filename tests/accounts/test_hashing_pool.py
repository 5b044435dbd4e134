"""Passwords wait in a bounded queue before threads that give way to everybody else."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import bcrypt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts.errors import BusyError
from app.accounts.passwords import HashingPool
from tests.conftest import DUMMY, assert_problem

PATIENT = 60.0
LOGIN_FIELDS = ("username", "password")


class Held:
    """A pool whose every place is taken, until it is let go."""

    def __init__(self, pool: HashingPool, places: int) -> None:
        self._go_on = threading.Event()
        self._all_in = threading.Semaphore(0)
        self._pool, self._places = pool, places
        self._clients = ThreadPoolExecutor(places)
        self.results: list[Future[int]] = []

    def __enter__(self) -> Held:
        for number in range(self._places):
            self.results.append(
                self._clients.submit(self._pool.run, lambda n=number: self._wait(n), PATIENT)
            )
            assert self._all_in.acquire(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._clients.shutdown()

    def let_go(self) -> None:
        self._go_on.set()

    def _wait(self, number: int) -> int:
        self._all_in.release()
        assert self._go_on.wait(timeout=10)
        return number


def test_it_returns_what_the_work_returns_and_raises_what_it_raises() -> None:
    pool = HashingPool(threads=1, waiting=1)
    assert pool.run(lambda: 7, PATIENT) == 7
    with pytest.raises(ZeroDivisionError):
        pool.run(lambda: 1 // 0, PATIENT)
    assert pool.run(lambda: 8, PATIENT) == 8  # its place is free again


def test_it_refuses_at_once_when_full_and_goes_on_afterwards() -> None:
    pool = HashingPool(threads=3, waiting=3)
    with Held(pool, 3) as held, pytest.raises(BusyError) as refusal:
        pool.run(lambda: pytest.fail("there was no place for this"), PATIENT)
    assert refusal.value.retry_after == 2
    assert [result.result() for result in held.results] == [0, 1, 2]
    assert pool.run(lambda: 9, PATIENT) == 9


def test_it_refuses_at_once_whoever_would_wait_too_long() -> None:
    pool = HashingPool(threads=1, waiting=2)
    pool.run(lambda: bcrypt.hashpw(b"a password", bcrypt.gensalt(8)), PATIENT)
    with Held(pool, 1) as held:
        with pytest.raises(BusyError):
            pool.run(lambda: pytest.fail("its turn did not come soon"), 0.0001)
        with ThreadPoolExecutor() as clients:
            patient = clients.submit(pool.run, lambda: 9, PATIENT)
            held.let_go()
        assert patient.result() == 9
    assert pool.run(lambda: 10, 0.0001) == 10  # nobody is before it


@pytest.mark.parametrize("path", ["/login", "/register", "/api/auth/login/"])
def test_a_full_pool_answers_come_again(app: Flask, client: FlaskClient, path: str) -> None:
    app.extensions["hashing"] = HashingPool(threads=1, waiting=1)
    with Held(app.extensions["hashing"], 1):
        assert client.get("/healthz").status_code == 200
        assert_problem(client.post("/login", json={}), 400, "validation_error", *LOGIN_FIELDS)
        answer = client.post(path, data=DUMMY)
        assert_problem(answer, 503, "service_unavailable")
        assert answer.headers["Retry-After"] == "2"
    assert client.post("/register", data=DUMMY).status_code == 201


@pytest.mark.skipif(sys.platform != "linux", reason="a priority belongs to the whole process here")
def test_its_threads_give_way_and_no_others_do() -> None:
    pool = HashingPool(threads=1, waiting=1)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert (
        pool.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), PATIENT) == 19
    )
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
