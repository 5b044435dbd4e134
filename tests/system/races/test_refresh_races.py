"""Refresh and logout under contention, on two replicas that share a database and its keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import jwt
import pytest
from sqlalchemy import create_engine, text

from tests.support.application import DUMMY
from tests.support.databases import execute
from tests.support.environment import ROOT, clean_environment, wait_until
from tests.support.http import Answer, Connection, once
from tests.support.servers import Server

ROUNDS = 100
PARALLEL = 20
# What the contract gives a replica to learn of a revocation.
REVOCATION_SECONDS = 2.0


@pytest.fixture
def replicas(
    serve: Callable[..., AbstractContextManager[Server]], database_url: str
) -> Iterator[list[str]]:
    """The addresses of two servers of one worker each, with an account registered."""
    shared = {"WORKERS": "1", "PUBLIC_URL": "http://login.example.com"}
    with ExitStack() as stack:
        urls = [stack.enter_context(serve(database_url, **shared)).url for _ in range(2)]
        assert once(urls[0], "POST", "/register", **DUMMY).status == 201
        yield urls


def login(url: str) -> dict[str, str]:
    answer = once(url, "POST", "/api/auth/login/", **DUMMY)
    assert answer.status == 200, answer.body
    found: dict[str, str] = answer.json()
    return found


def refresh(connection: Connection, token: str) -> Answer:
    return connection.send("POST", "/api/auth/token/refresh/", refresh=token)


def test_parallel_refreshes_leave_one_lineage(replicas: list[str]) -> None:
    token = login(replicas[0])["refresh"]
    with ExitStack() as stack:
        tabs = [stack.enter_context(Connection(replicas[i % 2])) for i in range(PARALLEL)]
        pool = stack.enter_context(ThreadPoolExecutor(PARALLEL))
        for _ in range(ROUNDS):
            answers = list(pool.map(refresh, tabs, [token] * PARALLEL))
            assert {answer.status for answer in answers} == {200}
            successors = {answer.json()["refresh"] for answer in answers}
            assert len(successors) == 1
            (token,) = successors
        for tab in tabs:
            assert tab.send("GET", "/resource", answers[0].json()["access"]).status == 200


def test_a_refresh_racing_a_logout_leaves_nothing_alive(
    replicas: list[str], database_url: str
) -> None:
    with (
        Connection(replicas[0]) as leaving,
        Connection(replicas[1]) as staying,
        ThreadPoolExecutor(2) as pool,
    ):
        for _ in range(20):
            pair = login(replicas[0])
            refreshed = pool.submit(refresh, staying, pair["refresh"])
            left = pool.submit(leaving.send, "POST", "/api/auth/logout/", refresh=pair["refresh"])
            assert left.result().status == 200
            answer = refreshed.result()
            assert answer.status in {200, 401}
            tokens = [pair["refresh"]]
            if answer.status == 200:
                tokens.append(answer.json()["refresh"])
            assert [refresh(staying, token).status for token in tokens] == [401] * len(tokens)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        alive = text("SELECT COUNT(*) FROM session WHERE revoked_at IS NULL")
        assert connection.scalar(alive) == 0
    engine.dispose()


def all_refused(urls: list[str], token: str) -> bool:
    statuses = (once(urls[i % 2], "GET", "/resource", token).status for i in range(50))
    return all(status == 401 for status in statuses)


def test_a_logout_holds_at_once_here_and_soon_everywhere(replicas: list[str]) -> None:
    pair = login(replicas[0])
    with Connection(replicas[0]) as here:
        assert once(replicas[1], "GET", "/resource", pair["access"]).status == 200
        assert here.send("POST", "/api/auth/logout/", refresh_token=pair["refresh"]).status == 200
        assert here.send("GET", "/resource", pair["access"]).status == 401
        wait_until(
            lambda: once(replicas[1], "GET", "/resource", pair["access"]).status == 401,
            "the other replica to know of the logout",
            REVOCATION_SECONDS,
        )
        assert all_refused(replicas, pair["access"])


def is_refused(url: str, token: str) -> bool:
    return once(url, "GET", "/resource", token).status == 401


@pytest.mark.parametrize("moment", ["2001-01-01 00:00:00", "2099-01-01 00:00:00"])
def test_a_row_changed_by_hand_ends_a_session_whatever_the_clock(
    replicas: list[str], database_url: str, moment: str
) -> None:
    pair = login(replicas[0])
    for url in replicas:
        assert once(url, "GET", "/resource", pair["access"]).status == 200
    execute(database_url, f"UPDATE session SET revoked_at = '{moment}'")
    for url in replicas:
        refused = partial(is_refused, url, pair["access"])
        wait_until(
            refused,
            "the replica to see the change",
            REVOCATION_SECONDS,
        )
    assert once(replicas[0], "POST", "/api/auth/token/refresh/", **pair).status == 401


def test_an_account_deleted_by_hand_loses_its_sessions(
    replicas: list[str], database_url: str
) -> None:
    pair = login(replicas[0])
    assert once(replicas[1], "GET", "/resource", pair["access"]).status == 200
    foreign_keys = "PRAGMA foreign_keys = ON" if "sqlite" in database_url else "SELECT 1"
    execute(database_url, foreign_keys, "DELETE FROM user")
    wait_until(
        lambda: once(replicas[1], "GET", "/resource", pair["access"]).status == 401,
        "the replica to see the deletion",
        REVOCATION_SECONDS,
    )


def test_a_key_rotation_under_load_refuses_nobody(
    serve: Callable[..., AbstractContextManager[Server]], database_url: str
) -> None:
    """The new key signs on both workers, with no restart, while clients go on."""
    with serve(database_url) as server:
        once(server.url, "POST", "/register", **DUMMY)
        pair = login(server.url)
        old = jwt.get_unverified_header(pair["access"])["kid"]
        rotate = [sys.executable, "-m", "flask", "--app", "wsgi", "keys", "rotate"]
        rotation = subprocess.Popen(
            [*rotate, "--publish-for", "2"],
            cwd=ROOT,
            env=clean_environment()
            | {"INSTANCE_PATH": str(server.instance), "DATABASE_URL": database_url},
            stdout=subprocess.DEVNULL,
        )
        signed_by, published = [], []
        with Connection(server.url) as connection:

            def rotated() -> bool:
                answer = refresh(connection, pair["refresh"])
                assert answer.status == 200
                pair.update(answer.json())
                kid = jwt.get_unverified_header(pair["access"])["kid"]
                signed_by.append(kid)
                keys = connection.send("GET", "/.well-known/jwks.json").json()["keys"]
                published.append([key["kid"] for key in keys])
                assert kid in published[-1]
                for _ in range(5):
                    assert once(server.url, "GET", "/resource", pair["access"]).status == 200
                found: bool = kid != old
                return found

            wait_until(rotated, "the new key to sign")
        assert rotation.wait() == 0
        new = signed_by[-1]
        first_published = next(i for i, kids in enumerate(published) if new in kids)
        assert signed_by[first_published] == old
        assert published[-1] == [old, new]
