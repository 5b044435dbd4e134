"""A recorded history: what clients asked of the service, when, and what they were told.

What goes in: each client says before an operation what it is about to ask, and afterwards what
came of it. What goes out: the operations, in the order in which they were invoked, for
`tests.cluster.checker`. Times are seconds of one monotonic clock, that of this process.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, replace
from enum import Enum


class Outcome(Enum):
    """What a client knows of an operation afterwards."""

    OK = "ok"  # it took effect, between invocation and return
    REFUSED = "refused"  # it was answered, and changed nothing that the answer does not say
    UNKNOWN = "unknown"  # no answer or a 503: it may take effect at any later time, or never


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on one object.

    Attributes:
        client: who asked.
        key: the object, such as "name/ada". Its part before the slash says which model it obeys.
        action: what was asked, such as "register".
        arguments: with which values.
        invoked: when it was sent.
        returned: when the answer was there; infinity where none told the outcome.
        outcome: what the answer told.
        result: the value in the answer, where there is one.

    """

    client: str
    key: str
    action: str
    arguments: tuple[Hashable, ...]
    invoked: float
    returned: float = math.inf
    outcome: Outcome = Outcome.UNKNOWN
    result: Hashable = None

    def __str__(self) -> str:
        until = f"{self.returned:.3f}" if self.returned < math.inf else "…"
        told = self.outcome.value if self.result is None else f"{self.outcome.value} {self.result}"
        given = ", ".join(map(str, self.arguments))
        return f"{self.invoked:.3f}-{until} {self.client}: {self.action}({given}) {told}"


class History:
    """Operations of many clients, recorded from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: list[Operation] = []

    def begin(self, client: str, key: str, action: str, *arguments: Hashable) -> int:
        """Record that an operation is about to be sent; return its number for `end`."""
        with self._lock:
            self._operations.append(Operation(client, key, action, arguments, time.monotonic()))
            return len(self._operations) - 1

    def end(self, number: int, outcome: Outcome, result: Hashable = None) -> None:
        """Record what came of it. An operation that never ends stays unknown."""
        returned = math.inf if outcome is Outcome.UNKNOWN else time.monotonic()
        with self._lock:
            begun = self._operations[number]
            self._operations[number] = replace(
                begun, returned=returned, outcome=outcome, result=result
            )

    def look(self, key: str, result: Hashable) -> None:
        """Record what the database holds of an object, now that no client asks any more."""
        self.end(self.begin("database", key, "look"), Outcome.OK, result)

    def by_key(self) -> dict[str, list[Operation]]:
        """The operations on each object, in the order of their invocation."""
        found: dict[str, list[Operation]] = {}
        with self._lock:
            for operation in self._operations:
                found.setdefault(operation.key, []).append(operation)
        return found
