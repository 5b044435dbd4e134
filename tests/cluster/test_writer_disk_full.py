"""The writer's disk is full.

What happens: MySQL waits for room and looks for it once a minute, so that no write is acknowledged
and each is answered with 503; reads go on. The group does not replace a writer that waits. With
room on the disk all goes on within that minute; without it once the member is ended, since another
one is then the writer.
"""

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

pytestmark = pytest.mark.cluster
WAITS = "No space left on device). Waiting for someone to free space"  # what MySQL logs
LOOKS_AFTER = 60  # seconds
# Docker forgets a volume in memory when no container uses it: `keeper` always does, and it is to
# `keeper` that the kernel counts what fills it. What MySQL itself writes there is counted to MySQL.
OVERRIDE = """
services:
  keeper:
    image: python:3.14-slim
    command: [sleep, infinity]
    init: true
    network_mode: none
    volumes: ["mysql-1:/mysql-1", "mysql-2:/mysql-2", "mysql-3:/mysql-3"]
  mysql-1: {mem_limit: 2g}
  mysql-2: {mem_limit: 2g}
  mysql-3: {mem_limit: 2g}
volumes:
  mysql-1: &small
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=450m,uid=999,gid=999"}
  mysql-2: *small
  mysql-3: *small
"""


@pytest.fixture(scope="module")
def small(files: Path, running: list[Cluster]) -> Iterator[Cluster]:
    """A cluster on disks of 450 MB, in the place of the one that the tests before used."""
    while running:
        running.pop().down()
    (files / "small.yml").write_text(OVERRIDE)
    name = f"loguserapp-cluster-test-{os.getpid()}-small"
    small = Cluster(files, name, "small.yml", **SETTINGS)
    try:
        small.up()
        yield small
    finally:
        small.down()


@pytest.mark.parametrize("remedy", ["room is made", "the member is ended"])
def test_a_full_disk_on_the_writer(small: Cluster, lines: list[Line], remedy: str) -> None:
    small.until_whole()
    writer = small.primary()
    in_keeper = ("exec", "-T", "keeper", "sh", "-c")
    with Workload(small.url, f"full-{remedy.rsplit(maxsplit=1)[-1]}") as workload:
        workload.calm()
        small.compose(*in_keeper, f"cat /dev/zero >/{writer}/fill", check=False)
        workload.until(lambda tally: tally.failures["503"] >= 30, "writes that are refused", 120)
        assert small.leader() == writer
        assert WAITS in small.compose("logs", "--no-log-prefix", writer).stdout
        if remedy == "room is made":
            small.compose(*in_keeper, f"rm /{writer}/fill")
        else:
            small.compose("kill", writer)
            small.until_led_by_another(writer)
            workload.calm()
            small.compose(*in_keeper, f"rm /{writer}/fill")
            small.compose("start", writer)
        small.until_whole()
        workload.calm(LOOKS_AFTER + 30)

    line = Line(f"the writer's disk full, {remedy}", workload, verify(small, workload))
    lines.append(line)
    line.assert_kept({"503"}, gap=LOOKS_AFTER + 20)
