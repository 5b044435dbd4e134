"""What the objects of the service promise, each as a small sequential machine.

A model says what an operation does to an object that nobody else touches. What goes in is a state
and an operation; what goes out is the state afterwards, or `IMPOSSIBLE` where the object could
not have answered so. An operation of unknown outcome is asked for the state if it took effect.

Every object starts as `None`: not there yet.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol

from tests.cluster.history import Operation, Outcome


class Impossible(Enum):
    """The answer of a model to what cannot have happened."""

    IMPOSSIBLE = "impossible"


IMPOSSIBLE = Impossible.IMPOSSIBLE
State = Hashable


class Model(Protocol):
    """A sequential object, and its name: the part of a key before the slash."""

    name: str

    def step(self, state: Any, operation: Operation) -> State | Impossible: ...


class UniqueName:
    """A username. The state is the e-mail of the account that has it.

    register(email): ok where the name is free; refused where it is taken. look: the e-mail.
    """

    name = "name"

    def step(self, state: str | None, operation: Operation) -> State | Impossible:
        if operation.action == "look":
            return state if operation.result == state else IMPOSSIBLE
        if operation.outcome is Outcome.REFUSED:
            return IMPOSSIBLE if state is None else state
        if state is None:
            return operation.arguments[0]
        return IMPOSSIBLE if operation.outcome is Outcome.OK else state


@dataclass(frozen=True, slots=True)
class Lineage:
    """A session: which refresh token is current, and what is known of it and the one before.

    Tokens are known by a fingerprint; None where the answer that held it was lost.
    """

    rotation: int
    current: str | None
    is_alive: bool = True


class RefreshCounter:
    """A session, whose refresh token rotates.

    open: ok with the first token. refresh(rotation, token): ok with the successor, which is the
    same for the current token's predecessor; an older one ends the session, and is refused.
    logout: ok once, then refused. look: rotation and whether the session is alive.
    """

    name = "session"

    def step(self, state: Lineage | None, operation: Operation) -> State | Impossible:
        if operation.action == "open":
            return Lineage(0, str(operation.result)) if state is None else IMPOSSIBLE
        if operation.action == "look":
            found = None if state is None else (state.rotation, state.is_alive)
            return state if operation.result == found else IMPOSSIBLE
        if state is None:
            return IMPOSSIBLE
        return getattr(self, f"_{operation.action}")(state, operation)  # type: ignore[no-any-return]

    def _logout(self, state: Lineage, operation: Operation) -> State | Impossible:
        if operation.outcome is Outcome.UNKNOWN:
            return replace(state, is_alive=False)
        if state.is_alive == (operation.outcome is Outcome.REFUSED):
            return IMPOSSIBLE
        return replace(state, is_alive=False)

    def _refresh(self, state: Lineage, operation: Operation) -> State | Impossible:
        rotation, presented = operation.arguments
        is_current = rotation == state.rotation and state.current in {None, presented}
        is_predecessor = rotation == state.rotation - 1
        if not (state.is_alive and (is_current or is_predecessor)):
            # Refused. An old token of a living session is a copy, and ends it.
            ended = replace(state, is_alive=False)
            return IMPOSSIBLE if operation.outcome is Outcome.OK else ended
        if operation.outcome is Outcome.REFUSED:
            return IMPOSSIBLE
        following = Lineage(state.rotation + 1, None) if is_current else state
        if operation.outcome is Outcome.UNKNOWN:
            return following
        if following.current not in {None, operation.result}:
            return IMPOSSIBLE
        return replace(following, current=str(operation.result))


class PasswordEpoch:
    """The password of an account. The state is the one that counts.

    register(password): ok. change(old, new): ok where the old one counts; refused where it does
    not. login(password): ok where it counts; refused where it does not.
    """

    name = "password"

    def step(self, state: str | None, operation: Operation) -> State | Impossible:
        if operation.action == "register":
            return operation.arguments[0] if state is None else IMPOSSIBLE
        counts = operation.arguments[0] == state
        if operation.outcome is not Outcome.UNKNOWN and counts != (operation.outcome is Outcome.OK):
            return IMPOSSIBLE
        is_changed = operation.action == "change" and counts
        return operation.arguments[1] if is_changed else state


MODELS: dict[str, Model] = {
    model.name: model for model in (UniqueName(), RefreshCounter(), PasswordEpoch())
}
