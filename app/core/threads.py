"""The number of threads of a worker, kept below what the container allows.

Granian starts request threads on demand. If the kernel refuses one (`pids.max` of the control
group, `pids_limit` in docker-compose.yml), the worker dies.
"""

from __future__ import annotations

import os
from pathlib import Path

from app.config import Config, ConfigError

# Request threads of a worker: the most, and the fewest that leave some free while WAITING passwords
# (app/passwords/hashing_pool.py) are in the queue, each in a thread.
MOST, _LEAST = 320, 96
# Further threads of a worker: main, Granian's runtime and signals, the revocation list, the
# deadline of bodies, and spare ones. Hashing threads, one for each core, come on top.
_OTHERS = 8
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
