"""MySQL is killed while clients refresh: no acknowledged rotation is lost, nobody is logged out."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import jwt
import pytest

from tests.support.application import DUMMY
from tests.support.databases import execute, select
from tests.support.environment import free_port, missing, wait_until
from tests.support.http import Connection, once
from tests.support.servers import Server

pytestmark = pytest.mark.compose

IMAGE = "mysql:9.7"
CLIENTS = 8
CRASHES = 2


class MySQL:
    """A MySQL of its own, whose data outlive being killed."""

    def __init__(self) -> None:
        self._name = f"loguserapp-crash-{os.getpid()}"
        port = free_port()
        self.url = f"mysql+pymysql://root@127.0.0.1:{port}/crash"
        docker(
            "run", "-d", "--name", self._name, "-p", f"127.0.0.1:{port}:3306",
            "-e", "MYSQL_ALLOW_EMPTY_PASSWORD=yes", "-e", "MYSQL_DATABASE=crash", IMAGE,
        )  # fmt: skip
        wait_until(self._answers, "MySQL to start", 120)

    def kill(self) -> None:
        docker("kill", "-s", "KILL", self._name)

    def start(self) -> None:
        docker("start", self._name)
        wait_until(self._answers, "MySQL to come back", 60)

    def remove(self) -> None:
        docker("rm", "-fv", self._name)

    def _answers(self) -> bool:
        try:
            execute(self.url, "SELECT 1")
        except Exception:  # noqa: BLE001 - whatever it is, the server is not there yet
            return False
        return True


def docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, capture_output=True)


@pytest.fixture
def mysql() -> Iterator[MySQL]:
    try:
        docker("image", "inspect", IMAGE)
    except (OSError, subprocess.CalledProcessError):
        missing(f"Docker with the image {IMAGE}")
    server = MySQL()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def replicas(
    mysql: MySQL, serve: Callable[..., AbstractContextManager[Server]]
) -> Iterator[list[str]]:
    """The addresses of two servers on that MySQL."""
    shared = {"WORKERS": "1", "PUBLIC_URL": "http://login.example.com"}
    with ExitStack() as stack:
        yield [stack.enter_context(serve(mysql.url, **shared)).url for _ in range(2)]


class Client:
    """Refreshes again and again, with the last token that was acknowledged."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        pair = once(urls[0], "POST", "/api/auth/login/", **DUMMY).json()
        self.token: str = pair["refresh"]
        self.statuses: Counter[int] = Counter()

    def live(self, stop: threading.Event) -> None:
        with ExitStack() as stack:
            connections = [stack.enter_context(Connection(url)) for url in self._urls]
            while not stop.is_set():
                replica = connections[self.statuses.total() % len(connections)]
                answer = replica.send("POST", "/api/auth/token/refresh/", refresh=self.token)
                if answer.status == 200:
                    self.token = answer.json()["refresh"]
                else:
                    stop.wait(0.05)
                self.statuses[answer.status] += 1

    def claims(self) -> dict[str, int]:
        return jwt.decode(self.token, options={"verify_signature": False})


def test_acknowledged_rotations_survive_a_killed_mysql(mysql: MySQL, replicas: list[str]) -> None:
    assert once(replicas[0], "POST", "/register", **DUMMY).status == 201
    clients = [Client(replicas) for _ in range(CLIENTS)]
    stop = threading.Event()
    threads = [threading.Thread(target=client.live, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()
    away = []
    try:
        for _ in range(CRASHES):
            more(clients, 200, 20)
            mysql.kill()
            began = time.monotonic()
            more(clients, 503, 1)
            mysql.start()
            more(clients, 200, 1)
            away.append(time.monotonic() - began)
        more(clients, 200, 20)
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    statuses = sum((client.statuses for client in clients), Counter())
    print(f"\nrefreshes {dict(statuses)}, away {[f'{seconds:.1f} s' for seconds in away]}")  # noqa: T201
    assert statuses.keys() == {200, 503}, "nobody was logged out, and no fault was a wrong 500"
    kept = dict(select(mysql.url, "SELECT id, rotation FROM session WHERE revoked_at IS NULL"))
    acknowledged = {
        int(claims["sid"]): claims["rotation"] for claims in map(Client.claims, clients)
    }
    assert kept == acknowledged, "each client is at the end of the one lineage of its session"


def more(clients: list[Client], status: int, times: int) -> None:
    """Wait until each client has been answered so, that often, once more, or one is logged out."""
    before = [client.statuses[status] for client in clients]
    wait_until(
        lambda: (
            any(client.statuses[401] for client in clients)
            or all(
                client.statuses[status] >= then + times
                for client, then in zip(clients, before, strict=True)
            )
        ),
        f"{times} more answers {status} for each client",
        60,
    )
