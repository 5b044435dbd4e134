"""The rehearsal of a move: the data of a single stack come into an empty cluster, under load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.conftest import SETTINGS
from tests.cluster.report import Line
from tests.cluster.verify import verify
from tests.cluster.workload import Workload
from tests.support.environment import wait_until
from tests.system.compose.stack import Stack

pytestmark = pytest.mark.cluster
# While the port changes hands nothing listens there; what has begun is broken off.
NO_LISTENER = {
    "ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError", "RemoteDisconnected",
    "502",
}  # fmt: skip


@pytest.fixture
def stacks(files: Path, running: list[Cluster]) -> Iterator[tuple[Stack, Cluster]]:
    """A single stack that runs, and a cluster that is to take its address."""
    while running:
        running.pop().down()
    name = f"loguserapp-cluster-test-{os.getpid()}"
    single = Stack(files, f"{name}-single", **SETTINGS)
    address = {key: single.environment[key] for key in ("HTTP_PORT", "PUBLIC_URL")}
    cluster = Cluster(files, f"{name}-moved", **SETTINGS, **address)
    cluster.url = single.url
    try:
        single.up()
        yield single, cluster
    finally:
        cluster.down()
        single.down()


def test_people_go_on_while_their_data_move(
    stacks: tuple[Stack, Cluster], lines: list[Line]
) -> None:
    single, cluster = stacks
    with Workload(single.url, "moved") as workload:
        workload.calm()
        names = {"SINGLE": single.name, "CLUSTER": cluster.name}
        single.run("deploy/cluster/move.sh", more=names)
        cluster.until_whole()
        workload.calm()
    wait_until(lambda: not single.ids(""), "the single stack to be stopped")

    line = Line("a single stack moved into the cluster", workload, verify(cluster, workload))
    lines.append(line)
    line.assert_kept({"503"} | NO_LISTENER, gap=180, reads=NO_LISTENER)
