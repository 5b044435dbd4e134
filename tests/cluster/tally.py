"""What the clients of a workload were answered: counts by status, times, gaps between writes."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

# Without an acknowledged write for so long, the database counts as away; clients write more often.
AWAY = 1.0


@dataclass
class Tally:
    """Counted from many threads. Times are seconds of the monotonic clock."""

    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)  # by status, or name of the error
    faults: list[str] = field(default_factory=list)  # what must never be answered
    resource_good: int = 0
    resource_failures: Counter[str] = field(default_factory=Counter)
    last_failure: float = 0.0
    slowest_failure: float = 0.0
    _written: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def succeed(self, what: str, *, writes: bool) -> None:
        with self._lock:
            self.requests += 1
            self.resource_good += what == "resource"
            if writes:
                self._written[what].append(time.monotonic())

    def fail(self, what: str, reason: str, seconds: float) -> None:
        with self._lock:
            self.requests += 1
            self.failures[reason] += 1
            if what == "resource":
                self.resource_failures[reason] += 1
            self.last_failure = time.monotonic()
            self.slowest_failure = max(self.slowest_failure, seconds)

    def fault(self, text: str) -> None:
        with self._lock:
            self.faults.append(text)

    def acknowledged(self) -> list[float]:
        """When a write was acknowledged, of whichever kind, in order."""
        with self._lock:
            return sorted(itertools.chain.from_iterable(self._written.values()))

    def is_calm(self, since: float, kinds: Iterable[str], seconds: float = 3.0) -> bool:
        """Whether nothing has failed for a while, and each kind of write has been acknowledged."""
        began = max(since, self.last_failure)
        with self._lock:
            written = all(self._written[kind][-1:] > [began] for kind in kinds)
        return written and time.monotonic() - began > seconds


def longest_gap(acknowledged: list[float]) -> float:
    """The longest time between two acknowledged writes, in seconds."""
    return max((b - a for a, b in itertools.pairwise(acknowledged)), default=float("inf"))


def lateness(ended: float, sent: float, acknowledged: list[float]) -> float:
    """For how long a logout could have been known when its token was accepted, in seconds.

    Args:
        ended: when the logout was acknowledged.
        sent: when the token that was accepted was sent.
        acknowledged: when writes were, which tells when the database was away.

    Returns:
        The time since the logout, or since the database was back; 0 while it was away.

    """
    before = [each for each in acknowledged if each <= sent]
    if not before or sent - before[-1] > AWAY:
        return 0.0
    back = [b for a, b in itertools.pairwise(before) if b - a > AWAY]
    return sent - max([ended, *back])
