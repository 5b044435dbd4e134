"""Slow steps that a test holds open: the conflicting operation runs meanwhile, every time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask

from app.passwords import hashing_pool
from app.passwords.hashing_pool import FlowKey
from tests.support.environment import wait_until

HOLDER = FlowKey("192.0.2.250", "holder")
NEXT_HOLDER = FlowKey("192.0.2.251", "next holder")


class Operation:
    """A use case in a thread of its own, with the result or the refusal that it ended in."""

    def __init__(self, app: Flask, work: Callable[[], Any]) -> None:
        self.result: Any = None
        self.refusal: Exception | None = None
        self._app, self._work = app, work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._app.app_context():
            try:
                self.result = self._work()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.refusal = error

    def outcome(self) -> str:
        """Wait for the end: "done", or the name of the refusal."""
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        return type(self.refusal).__name__ if self.refusal else "done"


@contextmanager
def while_hashing(app: Flask, work: Callable[[], Any], *, hashes: int = 1) -> Iterator[Operation]:
    """Run a use case and hold it before its first or second hash, until the block ends.

    Every thread of the application's pool is busy meanwhile, so that the request of the use case
    waits in the queue. What the block does needs another application, with a pool of its own.
    """
    pool = hashing_pool.pool.of(app)
    threads = os.cpu_count() or 1
    gates = [threading.Event() for _ in range(threads + 1)]
    for gate in gates[:threads]:
        pool.submit(gate.wait, 60, HOLDER)
    wait_until(lambda: len(pool._running) == threads, "every thread to be held")
    operation = Operation(app, work)

    def queued() -> bool:
        assert operation.refusal is None, operation.refusal
        return len(pool._queue) == 1

    try:
        wait_until(queued, "the use case to hash")
        if hashes > 1:
            # One thread does the first hash. The next holder comes before the second one, since
            # its turn is older.
            pool.submit(gates[threads].wait, 60, NEXT_HOLDER)
            gates[0].set()
            wait_until(lambda: NEXT_HOLDER.address in str(pool._running), "the first hash")
            wait_until(queued, "the use case to hash again")
        yield operation
    finally:
        for gate in gates:
            gate.set()
        operation.outcome()
