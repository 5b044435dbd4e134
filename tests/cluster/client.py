"""One client in a thread: it asks, records what it was told, and goes on."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.history import History, Outcome
from tests.cluster.tally import Tally
from tests.support.http import Connection

# Longer than nginx waits for a replica, so that it is the server who gives up.
TIMEOUT = 25
AGAIN_AFTER = 0.3
UNANSWERED = 0  # in place of a status


@dataclass
class Revoked:
    """A session that has ended: its tokens, and when the end was acknowledged."""

    access: str
    refresh: str
    ended: float

    @property
    def session(self) -> str:
        found: str = claims(self.access)["sid"]
        return found


@dataclass
class Shared:
    """What all clients of a workload share."""

    url: str
    mark: str  # begins every name of this workload
    history: History = field(default_factory=History)
    tally: Tally = field(default_factory=Tally)
    ending: threading.Event = field(default_factory=threading.Event)
    revoked: list[Revoked] = field(default_factory=list)
    accepted: list[tuple[Revoked, float]] = field(default_factory=list)  # and when it was sent
    passwords: dict[str, tuple[str, str]] = field(default_factory=dict)  # now, and before
    forced_logouts: list[str] = field(default_factory=list)


@dataclass
class Told:
    """The answer to one request."""

    status: int
    body: dict[str, Any]
    outcome: Outcome

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK


class Line:
    """A keep-alive connection through nginx, made again where it broke."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._connection: Connection | None = None

    def ask(
        self, what: str, method: str, path: str, *,
        token: str | None = None, good: Collection[int] = (200,), writes: bool = False,
        fields: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:  # fmt: skip
        """Ask once, and count the answer: `good` are the statuses that are none of a failure."""
        began = time.monotonic()
        status, body, reason = self._send(method, path, token, fields or {})
        tally = self._shared.tally
        if status in good:
            tally.succeed(what, writes=writes and status in {200, 201})
            return status, body
        tally.fail(what, reason, time.monotonic() - began)
        # A wrong refusal or a bug is no answer to a fault of the database.
        if 400 <= status <= 500 or reason == "503 without Retry-After":
            tally.fault(f"{method} {path}: {reason} {body}")
        return status, body

    def close(self) -> None:
        if self._connection:
            self._connection.__exit__()
        self._connection = None

    def _send(
        self, method: str, path: str, token: str | None, fields: dict[str, str]
    ) -> tuple[int, dict[str, Any], str]:
        self._connection = self._connection or Connection(self._shared.url, TIMEOUT)
        try:
            answer = self._connection.send(method, path, token, **fields)
            body = answer.json() if answer.body else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return UNANSWERED, {}, type(error).__name__
        if answer.headers.get("Connection") == "close":
            self.close()
        has_time = answer.status != 503 or "Retry-After" in answer.headers
        return answer.status, body, f"{answer.status}{'' if has_time else ' without Retry-After'}"


class Client:
    """Lives, round after round, until the workload ends."""

    pause = 0.4

    def __init__(self, shared: Shared, name: str) -> None:
        self.shared, self.name = shared, name
        self._lines: list[Line] = []
        self.line = self.new_line()

    def new_line(self) -> Line:
        """A connection of this client's own, closed by `close`."""
        self._lines.append(Line(self.shared))
        return self._lines[-1]

    def close(self) -> None:
        for line in self._lines:
            line.close()

    def run(self) -> None:
        while not self.over():
            self.live()
            self.rest()

    def live(self) -> None:
        raise NotImplementedError

    def over(self) -> bool:
        return self.shared.ending.is_set()

    def rest(self, seconds: float | None = None) -> None:
        self.shared.ending.wait(self.pause if seconds is None else seconds)

    def record(
        self, key: str, action: str, *arguments: Hashable,
        ask: Callable[[], tuple[int, dict[str, Any]]],
        refusals: Collection[int],
        result: Callable[[dict[str, Any]], Hashable] = lambda _: None,
    ) -> Told:  # fmt: skip
        """Ask, with what is asked and told written into the history.

        Args:
            key: the object.
            action: of its model.
            arguments: of the action.
            ask: sends the request.
            refusals: the statuses by which the model's refusal is told.
            result: what the history keeps of a good answer's body.

        """
        history = self.shared.history
        number = history.begin(self.name, key, action, *arguments)
        status, body = ask()
        outcome = Outcome.UNKNOWN
        if status in {200, 201}:
            outcome = Outcome.OK
        elif status in refusals:
            outcome = Outcome.REFUSED
        history.end(number, outcome, result(body) if outcome is Outcome.OK else None)
        return Told(status, body, outcome)

    def settle(self, ask: Callable[[bool], Told]) -> Told:
        """Ask until the outcome is known, or the workload is over; `ask` is told if it repeats."""
        told = ask(False)
        while told.outcome is Outcome.UNKNOWN and not self.over():
            self.rest(AGAIN_AFTER)
            told = ask(True)
        return told


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def claims(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found
