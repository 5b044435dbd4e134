"""The cluster that the tests share, and the table that is printed at the end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.cluster.cluster import Cluster, tools_or_missing
from tests.cluster.report import Line, table
from tests.support.environment import docker_or_missing
from tests.system.compose.stack import copy_files

# The least cost of bcrypt that the service takes: what is tested is the database, not the hashing.
SETTINGS = {"BCRYPT_LOG_ROUNDS": "10", "RATELIMIT_ENABLED": "false"}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the cluster's files, with an image of their own that is gone afterwards."""
    docker_or_missing()
    tools_or_missing()
    signal.signal(signal.SIGTERM, _interrupt)  # so that all is removed as after Ctrl-C
    image = f"loguserapp-cluster-test-{os.getpid()}"
    SETTINGS["WEB_IMAGE"] = image
    yield copy_files(tmp_path_factory.mktemp("cluster"))
    subprocess.run(["docker", "rmi", "-f", image], check=False, capture_output=True)


@pytest.fixture(scope="session")
def running() -> list[Cluster]:
    """The clusters that run, for a test that needs the machine for another one."""
    return []


@pytest.fixture(scope="session")
def cluster(files: Path, running: list[Cluster]) -> Iterator[Cluster]:
    """The cluster that most tests use; brought up by the first one."""
    cluster = Cluster(files, f"loguserapp-cluster-test-{os.getpid()}", **SETTINGS)
    try:
        cluster.up()
        running.append(cluster)
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def lines() -> Iterator[list[Line]]:
    """The table's lines, printed when the last test has ended."""
    found: list[Line] = []
    yield found
    if found:
        print(f"\n\n{table(found, _versions())}\n")  # noqa: T201


def _versions() -> str:
    """What the images of the cluster hold, as they say themselves."""
    programs = {
        "mysql:9.7": ("mysqld", "--version"), "haproxy:3.2": ("haproxy", "-v"),
        "nginx:1.30": ("nginx", "-v"),
    }  # fmt: skip
    said = []
    for image, (program, option) in programs.items():
        command = [
            "docker",
            "run",
            "--rm",
            "--network=none",
            "--entrypoint",
            program,
            image,
            option,
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        said.append((done.stdout + done.stderr).partition("\n")[0].strip())
    return "; ".join(said)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
