"""Is a history linearizable: could one server, doing one thing at a time, have answered so?

The property is that of Herlihy and Wing, "Linearizability: a correctness condition for concurrent
objects" (ACM TOPLAS 12:3, 1990): each operation takes effect at one moment between its invocation
and its return. It holds for a history if it holds for each object alone (their theorem 1), so each
key is checked by itself. The search is that of Wing and Gong, "Testing and verifying concurrent
objects" (J. Parallel Distrib. Comput. 17, 1993): choose an operation that could have been first,
ask the model, go on with the rest, and come back where the model refuses.

An operation of unknown outcome may take effect at any time after its invocation, or never. So a
way is not tried again that comes to the same answered operations and the same state as an earlier
one did with no more of the unknown operations used up: it could go nowhere that the other cannot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.cluster.history import History, Operation, Outcome
from tests.cluster.models import IMPOSSIBLE, MODELS, Model, State


@dataclass(frozen=True, slots=True)
class Violation:
    """The operations on an object that no order explains; `stuck` is where the best order ended."""

    key: str
    operations: Sequence[Operation]
    stuck: Operation

    def __str__(self) -> str:
        lines = (f"{'→' if o is self.stuck else ' '} {o}" for o in self.operations)
        return "\n".join([f"{self.key} is not linearizable:", *lines])


def violations(history: History) -> list[Violation]:
    """Check every object of a history against its model."""
    found = (
        check(key, operations, MODELS[key.partition("/")[0]])
        for key, operations in history.by_key().items()
    )
    return [violation for violation in found if violation]


def check(key: str, operations: Sequence[Operation], model: Model) -> Violation | None:
    """Search an order of one object's operations that the model allows; None where there is one.

    Args:
        key: the object, for the message.
        operations: those on it.
        model: what it promises.

    """
    ordered = sorted(operations, key=lambda operation: operation.invoked)
    known = sum(1 << n for n, o in enumerate(ordered) if o.outcome is not Outcome.UNKNOWN)
    tried: dict[tuple[int, State], list[int]] = {}
    waiting: list[tuple[int, State]] = [(0, None)]
    farthest = 0
    while waiting:
        done, state = waiting.pop()
        answered, used = done & known, done & ~known
        if answered == known:
            return None
        before = tried.setdefault((answered, state), [])
        if any(each & ~used == 0 for each in before):
            continue
        before.append(used)
        farthest = max(farthest, answered, key=int.bit_count)
        waiting += reversed(_next(ordered, done, state, model))
    stuck = next(o for n, o in enumerate(ordered) if known & ~farthest & 1 << n)
    return Violation(key, ordered, stuck)


def _next(
    ordered: Sequence[Operation], done: int, state: State, model: Model
) -> list[tuple[int, State]]:
    """What can have happened next: the operations done, and the state after them.

    The answered operations come first: those of unknown outcome may be needed later.
    """
    found: list[tuple[int, State]] = []
    unknown: list[tuple[int, State]] = []
    for number, operation in _candidates(ordered, done):
        after = model.step(state, operation)
        if after is IMPOSSIBLE:
            continue
        is_known = operation.outcome is not Outcome.UNKNOWN
        if after != state:
            (found if is_known else unknown).append((done | 1 << number, after))
        elif is_known:
            # It changes nothing, so that what can follow can follow it: no other need be tried.
            return [(done | 1 << number, state)]
    return found + unknown


def _candidates(ordered: Sequence[Operation], done: int) -> Iterator[tuple[int, Operation]]:
    """The operations that began before any other one had ended; alike unknown ones count as one."""
    first_end = math.inf
    unknown = set()
    for number, operation in enumerate(ordered):
        if operation.invoked > first_end:
            return
        if done & 1 << number:
            continue
        first_end = min(first_end, operation.returned)
        if operation.outcome is Outcome.UNKNOWN:
            alike = (operation.action, operation.arguments)
            if alike in unknown:
                continue
            unknown.add(alike)
        yield number, operation
