"""Workers on cores of their own (docs/decisions/granian.md)."""

from __future__ import annotations

from functools import partial
from typing import Any

from granian.server import MPServer

from app.core.threads import bind_worker


class CoreBoundServer(MPServer):
    """Granian that binds each worker to a core before the worker starts any thread."""

    def _spawn_worker(self, idx: int, target: Any, *arguments: Any, **options: Any) -> Any:
        bound = partial(_on_own_core, target, self.workers)
        return super()._spawn_worker(idx, bound, *arguments, **options)


def _on_own_core(target: Any, workers: int, worker_id: int, *arguments: Any) -> Any:
    bind_worker(worker_id - 1, workers)
    return target(worker_id, *arguments)
