"""How many threads a worker may start: fewer, in all workers together, than the container allows.

Granian starts the threads that answer requests as they are needed. Where the kernel refuses one
(pids.max of the control group, `pids_limit` in docker-compose.yml), the worker dies.
"""

from __future__ import annotations

import os
from pathlib import Path

from app.config import Config, ConfigError

# Threads of a worker that answer requests: at most, and as few as still let a worker answer while
# 64 passwords wait in it, each in a thread (WAITING in app/accounts/passwords.py).
MOST, _LEAST = 320, 96
# Of a worker besides: main, Granian's runtime and its signals, the revocation list, the bodies'
# deadline, and some to spare; and as many that hash as the machine has cores.
_OTHERS = 8
# The first process, and what runs in the container beside it: a health check, `flask keys rotate`.
_BESIDE = 32


def threads_per_worker(config: Config, limit: int | None) -> int:
    """The number of threads with which a worker answers requests.

    Args:
        config: WORKERS of it counts.
        limit: processes and threads that the control group allows; None is without a limit.

    Raises:
        ConfigError: the limit leaves a worker too few.

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
    """How many processes and threads this process's control group allows, or None.

    Args:
        groups: names the group: `0::/path` (version 2), `8:pids:/path` (version 1).
        mount: where the groups are.

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
    """The limits of a group and of those around it, each of which holds for it too."""
    group = mount / path.strip("/")
    found = set()
    # In a container of version 1 the path is the host's, but the mount is the container's group.
    for folder in (group, *group.parents):
        if folder.is_relative_to(mount):
            try:
                found.add(int((folder / "pids.max").read_text()))
            except (OSError, ValueError):  # no such file; "max"
                continue
    return found
