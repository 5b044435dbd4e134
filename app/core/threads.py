"""The threads of a worker: how many, and on which processor cores they run.

Granian starts request threads on demand. If the kernel refuses one (`pids.max` of the control
group, `pids_limit` in docker-compose.yml), the worker dies.

The threads of a worker pass Python's global interpreter lock to each other several times in a
request. Across cores each pass takes longer, so that a worker keeps to one core where it can.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from app.config import Config, ConfigError

# Request threads of a worker: the most, and the fewest that leave some free while WAITING passwords
# (app/passwords/hashing_pool.py) are in the queue, each in a thread.
MOST, _LEAST = 320, 96
# Further threads of a worker: main, Granian's runtime and signals, the revocation list, the
# deadline of bodies, and spare ones. Hashing threads, one for each core, come on top.
_OTHERS = 8
# Those that the container or `taskset` allows, read before a worker is bound to one of them; none
# where the system knows no such thing.
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
# The parent process, and other commands in the container: a health check,
# `./loguserapp keys rotate`.
_BESIDE = 32


def threads_per_worker(config: Config, limit: int | None) -> int:
    """The number of request threads of each worker.

    Args:
        config: its WORKERS is used.
        limit: `pids.max` of the control group; None: unlimited.

    Raises:
        ConfigError: the limit leaves a worker too few threads.

    """
    if limit is None:
        return MOST
    watcher = 1  # of the first process, for each worker
    fixed = _OTHERS + (os.cpu_count() or 1) + watcher
    threads = (limit - _BESIDE) // config.workers - fixed
    if threads < _LEAST:
        needed = (_LEAST + fixed) * config.workers + _BESIDE
        raise ConfigError(
            f"WORKERS is {config.workers}: the {limit} processes and threads that pids.max allows "
            f"are too few. Take fewer WORKERS, or raise pids_limit (systemd: TasksMax) to {needed}."
        )
    return min(threads, MOST)


def bind_worker(number: int, workers: int) -> None:
    """Bind this process to a core of its own, if there is exactly one for each worker.

    Where there are more cores, the kernel knows best which of them are free: the workers of another
    service, bound by the same rule, would take the same ones.

    Args:
        number: which worker this is, from 0.
        workers: how many there are.

    """
    if len(_CORES) == workers:
        _run_on({_CORES[number]})


def use_every_core() -> None:
    """Let this thread run on every core, though its worker may be bound to one."""
    if _CORES:
        _run_on(_CORES)


def _run_on(cores: Collection[int]) -> None:
    with suppress(OSError):  # a sandbox, or a container whose cores are others now
        os.sched_setaffinity(0, cores)


def pids_max(
    groups: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """`pids.max` of this process's control group: processes and threads; None: unlimited.

    Args:
        groups: the file that names the group: `0::/path` (v2), `8:pids:/path` (v1).
        mount: the mount point of the control groups.

    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # not Linux
        return None
    limits: set[int] = set()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            limits |= _limits(mount, path)
        elif "pids" in controllers.split(","):
            limits |= _limits(mount / "pids", path)
    return min(limits, default=None)


def _limits(mount: Path, path: str) -> set[int]:
    """The limits of a group and of its parents, all of which apply."""
    group = mount / path.strip("/")
    found = set()
    # With v1 in a container the path is the host's, but the mount is the container's own group.
    for folder in (group, *group.parents):
        if folder.is_relative_to(mount):
            try:
                found.add(int((folder / "pids.max").read_text()))
            except (OSError, ValueError):  # no such file; "max"
                continue
    return found
