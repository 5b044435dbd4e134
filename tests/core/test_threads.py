"""The threads of all workers together stay below what the control group allows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.config import ConfigError
from app.core.threads import MOST, pids_max, threads_per_worker
from tests.support.databases import make_config


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("limit", [512, 1024, 4096])
def test_all_threads_stay_below_the_limit(tmp_path: Path, workers: int, limit: int) -> None:
    threads = threads_per_worker(make_config("", tmp_path, workers=workers), limit)
    hashing, main, watching = os.cpu_count() or 1, 1, 1
    assert workers * (threads + hashing + main) + main + watching * workers < limit
    assert 96 <= threads <= MOST


def test_without_a_limit_a_worker_has_the_most(tmp_path: Path) -> None:
    assert threads_per_worker(make_config("", tmp_path, workers=64), None) == MOST


def test_too_many_workers_for_the_limit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        threads_per_worker(make_config("", tmp_path, workers=16), 512)
    said = str(refused.value)
    assert said.startswith("WORKERS is 16: the 512 processes and threads that pids.max allows")
    needed = int(said.rstrip(".").rsplit(" ", 1)[1])
    assert threads_per_worker(make_config("", tmp_path, workers=16), needed) == 96


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"pids.max": "512\n"}, 512),
        ("0::/\n", {"pids.max": "max\n"}, None),
        ("0::/\n", {}, None),
        ("0::/a/b\n", {"a/b/pids.max": "max\n", "a/pids.max": "300\n"}, 300),
        ("0::/a/b\n", {"a/b/pids.max": "200\n", "a/pids.max": "300\n"}, 200),
        ("9:cpu:/\n8:pids:/\n0::/\n", {"pids/pids.max": "512\n"}, 512),
        ("8:pids:/docker/1\n", {"pids/pids.max": "512\n"}, 512),
        ("8:cpu,pids:/x\n", {"cpu,pids/x/pids.max": "512\n", "pids/x/pids.max": "400\n"}, 400),
        ("8:memory:/\n", {"memory/pids.max": "1\n"}, None),
    ],
)
def test_the_limit_is_that_of_the_control_group_and_those_around_it(
    tmp_path: Path, groups: str, files: dict[str, str], expected: int | None
) -> None:
    (tmp_path / "cgroup").write_text(groups)
    for name, content in files.items():
        (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fs" / name).write_text(content)
    assert pids_max(tmp_path / "cgroup", tmp_path / "fs") == expected


def test_where_there_are_no_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert pids_max(tmp_path / "nothing", tmp_path) is None
