"""1,000 connections from one address leave another address served within a second."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from app.core.networks import network
from tests.support.application import DUMMY
from tests.support.environment import wait_until
from tests.support.http import once
from tests.support.servers import Server
from tests.system.load import flood

CONNECTIONS, SECONDS = 1_000, 14  # a slow body is given ten
ATTACKER, WORKERS = "127.0.0.2", 2
ORDINARY = {"/healthz": 200, "/resource": 401}


@contextmanager
def flooded(port: int) -> Iterator[Callable[[], dict[str, dict[str, int]]]]:
    """A flood from another loopback address; the function waits for its end and tells of it."""
    arguments = ["127.0.0.1", port, CONNECTIONS, SECONDS, ATTACKER]
    # It takes what processor time is left: an attacker stands at another machine.
    command = ["nice", "-n", "19", sys.executable, flood.__file__, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield lambda: json.loads(process.communicate(timeout=60)[0])
    finally:
        process.kill()
        process.wait()


def workers_of(server: Server) -> set[int]:
    main = server.process.pid
    return {int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()}


@pytest.mark.alone
@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 needs no setting up on Linux")
def test_a_flood_from_one_address_leaves_another_one_served(
    sqlite_url: str, serve: Callable[..., AbstractContextManager[Server]]
) -> None:
    assert network(ATTACKER) != network("127.0.0.1")
    with serve(sqlite_url, WORKERS=str(WORKERS)) as server:
        once(server.url, "POST", "/register", **DUMMY)
        before = workers_of(server)
        with flooded(int(server.url.rsplit(":", 1)[1])) as outcome:
            waits = dict.fromkeys(ORDINARY, 0.0)
            until = time.monotonic() + SECONDS - 1
            while time.monotonic() < until:
                for path, expected in ORDINARY.items():
                    began = time.monotonic()
                    status = once(server.url, "GET", path).status
                    waits[path] = max(waits[path], time.monotonic() - began)
                    assert status == expected
            seen = outcome()
        assert workers_of(server) == before
        assert len(before) == WORKERS
        wait_until(lambda: once(server.url, "POST", "/login", **DUMMY).status == 200, "a login")
    print(f"\nthe flood met {seen}\nothers waited {waits}")  # noqa: T201
    assert max(waits.values()) < 1
    assert seen["bodies"]["408"]
    assert seen["get"].keys() <= {"200", "503"}
    assert seen["post"].keys() <= {"401", "503"}
