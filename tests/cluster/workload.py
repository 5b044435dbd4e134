"""Steady use of the service by a few people, recorded, until a test has seen enough.

Bounded: a dozen clients with pauses, which is some fifteen passwords hashed a second and ten reads
of the resource, and an end by itself after `SECONDS_AT_MOST`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from tests.cluster.client import Client, Line, Shared
from tests.cluster.people import (
    WRITES,
    Changer,
    Contender,
    Leaver,
    Person,
    Refresher,
    Registrar,
    TwoTabs,
)
from tests.cluster.tally import Tally, lateness
from tests.support.environment import wait_until

SECONDS_AT_MOST = 300
# How long a worker may take to know of a logout (CONTRACT §6), with the database there.
REVOKED_WITHIN = 2.0


class Reader(Person):
    """Reads the resource at a steady rate, with a token that stays valid throughout."""

    pause = 0.1

    def run(self) -> None:
        tokens = self.log_in(self.account())
        self._token = tokens["access_token"] if tokens else ""
        super().run()

    def live(self) -> None:
        self.line.ask("resource", "GET", "/resource", token=self._token)


class Doubter(Client):
    """Tries access tokens of sessions that have ended, each time with another replica."""

    pause = 0.1

    def live(self) -> None:
        known = self.shared.revoked
        if not known:
            return
        tried = random.choice(known[-5:] if random.random() < 0.5 else known)
        sent = time.monotonic()
        # Within its two seconds a worker may say either. A 503 says that it does not know.
        status, _ = self.line.ask(
            "ended", "GET", "/resource", token=tried.access, good={200, 401, 503}
        )
        if status == 200:
            self.shared.accepted.append((tried, sent))
        self.line.close()


class Workload:
    """The people, each in a thread of its own. `shared` holds what they saw."""

    def __init__(self, url: str, mark: str) -> None:
        self.shared = Shared(url, mark)
        people: dict[str, type[Client]] = {
            "registrar-1": Registrar, "registrar-2": Registrar, "contender": Contender,
            "refresher-1": Refresher, "refresher-2": Refresher, "tabs": TwoTabs,
            "leaver": Leaver, "changer-1": Changer, "changer-2": Changer,
            "reader": Reader, "doubter": Doubter,
        }  # fmt: skip
        clients = [kind(self.shared, name) for name, kind in people.items()]
        self._threads = [threading.Thread(target=self._live, args=(client,)) for client in clients]
        self._errors: list[Exception] = []
        self.began = time.monotonic()

    def __enter__(self) -> Workload:
        for thread in self._threads:
            thread.start()
        self._end = threading.Timer(SECONDS_AT_MOST, self.shared.ending.set)
        self._end.daemon = True
        self._end.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.cancel()
        self.shared.ending.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def calm(self, seconds: float = 60) -> None:
        """Wait until nothing fails any more and every kind of write is acknowledged again."""
        since = time.monotonic()
        tally = self.shared.tally
        try:
            self.until(lambda tally: tally.is_calm(since, WRITES), "calm", seconds)
        except AssertionError as error:
            told = f"failures {dict(tally.failures)}, {tally.faults[:3]}"
            raise AssertionError(f"{error}; {told}") from None

    def until(self, true: Callable[[Tally], bool], what: str, seconds: float = 30) -> None:
        """Wait for what the people see."""
        wait_until(lambda: self._goes_on() and true(self.shared.tally), what, seconds)

    def until_reads(self, more: int) -> None:
        """Wait for so many more good reads of the resource."""
        read = self.shared.tally.resource_good
        self.until(lambda tally: tally.resource_good >= read + more, "reads of the resource")

    def late_acceptances(self) -> list[str]:
        """Tokens that were accepted for longer after the end of their session than is allowed."""
        written = self.shared.tally.acknowledged()
        found = []
        for revoked, sent in self.shared.accepted:
            late = lateness(revoked.ended, sent, written)
            if late > REVOKED_WITHIN:
                age = sent - revoked.ended
                since = f"{age:.2f} s after its end, {late:.2f} s with the database"
                found.append(f"session {revoked.session}: {since}")
        return found

    def _goes_on(self) -> bool:
        assert not self._errors, self._errors
        assert not self.shared.ending.is_set(), "the workload has ended by itself"
        return True

    def _live(self, client: Client) -> None:
        try:
            client.run()
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            self._errors.append(error)
        finally:
            client.close()


def tried_everywhere(shared: Shared, times: int = 12) -> list[int]:
    """Every kind of answer to the newest tokens of ended sessions, replica after replica."""
    found = []
    for revoked in shared.revoked[-3:]:
        for _ in range(times):
            line = Line(shared)
            found.append(line.ask("ended", "GET", "/resource", token=revoked.access, good={401})[0])
            line.close()
    return found
