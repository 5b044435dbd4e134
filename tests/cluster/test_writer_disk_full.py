"""The writer's disk is full.

What happens: MySQL waits for room, so that no write is acknowledged; the service answers 503. The
group does not replace a writer that waits. Room on the disk lets everything go on; so does the end
of the member, after which another one is the writer.
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
FILL = "/var/lib/mysql/fill"
# Docker forgets a volume in memory when no container uses it: `keeper` always does.
OVERRIDE = """
services:
  keeper:
    image: python:3.14-slim
    command: [sleep, infinity]
    init: true
    network_mode: none
    volumes: ["mysql-1:/1:ro", "mysql-2:/2:ro", "mysql-3:/3:ro"]
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
    with Workload(small.url, f"full-{remedy.rsplit(maxsplit=1)[-1]}") as workload:
        workload.calm()
        fill = f"cat /dev/zero >{FILL}"
        small.compose("exec", "-T", writer, "sh", "-c", fill, check=False)
        workload.until(lambda tally: tally.failures["503"] >= 10, "writes that are refused", 120)
        if remedy == "room is made":
            small.compose("exec", "-T", writer, "rm", FILL)
        else:
            small.compose("kill", writer)
            small.until_led_by_another(writer)
            small.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", f"rm {FILL}", writer)
            small.compose("start", writer)
        small.until_whole()
        workload.calm(90)

    line = Line(f"the writer's disk full, {remedy}", workload, verify(small, workload))
    lines.append(line)
    line.assert_kept({"503"}, gap=90)
