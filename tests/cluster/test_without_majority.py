"""Two members of three are gone: nothing is written, reads go on, and all comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.cluster.cluster import MEMBERS, Cluster
from tests.cluster.report import SLOWEST_FAILURE, Line
from tests.cluster.verify import verify
from tests.cluster.workload import Workload
from tests.support.environment import wait_until
from tests.support.http import Answer, once

pytestmark = pytest.mark.cluster
PERSON = {"username": "reader", "email": "reader@example.com", "password": "correct horse battery"}


def test_two_members_gone_and_back(cluster: Cluster, lines: list[Line]) -> None:
    cluster.until_whole()
    assert once(cluster.url, "POST", "/register", **PERSON).status == 201
    tokens = once(cluster.url, "POST", "/api/auth/login/", **PERSON).json()
    writer = cluster.primary()
    others = [member for member in MEMBERS if member != writer]

    with Workload(cluster.url, "two-gone") as workload:
        workload.calm()
        cluster.compose("kill", *others)
        # The last one gives up, and can then be read from.
        cluster.until_read_only(writer)
        for path in ("/api/auth/me/", "/api/auth/sessions/"):
            ask = partial(once, cluster.url, "GET", path, tokens["access"])
            _until_answered(ask, f"{path} from the member that is left")
        _writes_are_refused(cluster, tokens["refresh"])
        workload.until_reads(20)
        assert cluster.leader() is None, "nobody took the lead without a majority"
        cluster.compose("start", *others)
        cluster.until_whole()
        workload.calm()

    line = Line("two members gone, then back", workload, verify(cluster, workload))
    lines.append(line)
    line.assert_kept({"503"}, gap=60)


def _until_answered(ask: Callable[[], Answer], what: str) -> None:
    wait_until(lambda: ask().status == 200, what, 10)


def _writes_are_refused(cluster: Cluster, refresh_token: str) -> None:
    new = PERSON | {"username": "late", "email": "late@example.com"}
    for path, fields in (
        ("/register", new),
        ("/login", PERSON),
        ("/api/auth/token/refresh/", {"refresh": refresh_token}),
        ("/api/auth/logout/", {"refresh": refresh_token}),
    ):
        began = time.monotonic()
        answer = once(cluster.url, "POST", path, **fields)
        assert answer.status == 503, f"{path}: {answer.status} {answer.body!r}"
        assert answer.headers["Retry-After"], path
        assert time.monotonic() - began < SLOWEST_FAILURE, path
