"""The hashing of passwords: in turn by client address, in threads that give way to others."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, TypeVar

from flask import Flask, current_app

from app.accounts.errors import BusyError
from app.network import IPNetwork, is_within, network

# How many passwords may be in one worker: a class that registers at once, and not a flood.
WAITING = 64

# Over how many passwords the time that one takes is averaged.
_SMOOTHING = 8

T = TypeVar("T")
# Whom a request counts for: ("address", a network), or ("account", one of a trusted back end's).
Owner = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Turn:
    """For whom a password is hashed.

    Attributes:
        address: the client's address as text, or a name for what has none.
        account: the account's id, or the name that was given where there is no such account.

    """

    address: str
    account: str


COMMAND_LINE = Turn("command line", "command line")


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Work that takes a thread of the pool, and the promise of its result."""

    owner: Owner
    account: str
    work: Callable[[], Any]
    number: int = field(default_factory=count().__next__)
    result: Future[Any] = field(default_factory=Future)


class FairQueue:
    """Requests that wait: each owner's turn comes round, and within an owner each account's."""

    def __init__(self) -> None:
        # In the order of turns: who was served goes to the end.
        self._owners: dict[Owner, dict[str, deque[Request]]] = {}

    def __len__(self) -> int:
        """How many requests wait."""
        return sum(map(self.size, self._owners))

    def size(self, owner: Owner) -> int:
        """How many requests of an owner wait."""
        return sum(map(len, self._owners.get(owner, {}).values()))

    def owners(self) -> Collection[Owner]:
        """Who has a request that waits."""
        return self._owners.keys()

    def add(self, request: Request) -> None:
        """Put a request behind the others of its account."""
        accounts = self._owners.setdefault(request.owner, {})
        accounts.setdefault(request.account, deque()).append(request)

    def take(self, running: Sequence[Owner] = ()) -> Request | None:
        """Remove and return the request whose turn it is, or None if none waits.

        Args:
            running: the owner of each request that is being hashed. Who has the fewest of them
                comes first, so that a flood in every thread is not given the next one as well.

        """
        if not self._owners:
            return None
        owner = min(self._owners, key=running.count)  # of equals the first
        accounts = self._owners.pop(owner)
        account = next(iter(accounts))
        requests = accounts.pop(account)
        request = requests.popleft()
        if requests:
            accounts[account] = requests
        if accounts:
            self._owners[owner] = accounts
        return request

    def remove_newest(self, owners: Collection[Owner]) -> Request:
        """Remove and return the request of these owners that came last."""
        last = (requests[-1] for owner in owners for requests in self._owners[owner].values())
        newest = max(last, key=lambda request: request.number)
        accounts = self._owners[newest.owner]
        accounts[newest.account].pop()
        if not accounts[newest.account]:
            del accounts[newest.account]
        if not accounts:
            del self._owners[newest.owner]
        return newest

    def before(self, owner: Owner, account: str) -> int:
        """How many of those that wait would be served before a new request, at most."""
        own = {name: len(requests) for name, requests in self._owners.get(owner, {}).items()}
        rounds = own.pop(account, 0)
        # Until it is served each of the others' turn comes once more than its own did.
        ahead = rounds + sum(min(size, rounds + 1) for size in own.values())
        others = (self.size(other) for other in self._owners if other != owner)
        return ahead + sum(min(size, ahead + 1) for size in others)


class HashingPool:
    """Threads that hash at the lowest priority, and a bounded, fair queue before them.

    bcrypt takes a core for a quarter of a second and lets go of the interpreter meanwhile. At
    nice 19 the threads that hash use every idle core, yet give way at once to those that answer
    requests; and the server has more threads than `WAITING`, so that some stay free.
    A request that would wait too long is refused on arrival, from what the last hashes took.

    Args:
        threads: how many hash at once.
        places: how many requests may be there, those being hashed included.
        trusted: the back ends whose requests count by account instead of by address.

    """

    def __init__(self, threads: int, places: int, trusted: Collection[IPNetwork] = ()) -> None:
        self._executor = ThreadPoolExecutor(threads, "hashing", initializer=_yield_to_others)
        self._threads, self._places, self._trusted = threads, places, trusted
        self._lock = threading.Lock()
        self._queue = FairQueue()
        self._running: list[Owner] = []
        self._seconds = 0.0  # that a thread needs for one password, by the last ones

    def run(self, work: Callable[[], T], patience: float, turn: Turn) -> T:
        """Do the work in the pool and return its result.

        Args:
            work: what takes a thread of the pool.
            patience: the seconds that it may have to wait for its turn.
            turn: for whom.

        Raises:
            BusyError: the wait would be longer; or every place is taken and this is, on arrival
                or later, the newest request of the owner with the most places.

        """
        return self.submit(work, patience, turn).result()

    def submit(self, work: Callable[[], T], patience: float, turn: Turn) -> Future[T]:
        """Like `run`, without waiting for the result."""
        owner = self._owner(turn)
        with self._lock:
            if self._wait(owner, turn.account) > patience:
                raise BusyError
            # One call of `_serve` for each request that waits: a newcomer inherits it with the
            # place. It is asked for before anything is counted, because it may fail.
            evicted = self._evict_for(owner)
            if evicted is None:
                self._executor.submit(self._serve)
            request = Request(owner, turn.account, work)
            self._queue.add(request)
        if evicted is not None:
            evicted.result.set_exception(BusyError())
        return request.result

    def _owner(self, turn: Turn) -> Owner:
        if is_within(turn.address, self._trusted):
            return "account", turn.account
        return "address", network(turn.address)

    def _wait(self, owner: Owner, account: str) -> float:
        before = len(self._running) + self._queue.before(owner, account)
        return before / self._threads * self._seconds

    def _evict_for(self, newcomer: Owner) -> Request | None:
        """Make room where there is none: the newest request of the owner with most gives way."""
        if len(self._running) + len(self._queue) < self._places:
            return None
        held = {owner: self._held(owner) for owner in self._queue.owners()}
        most = max(held.values(), default=0)
        if self._held(newcomer) + 1 >= most:  # it would have as many, and is the newest
            raise BusyError
        return self._queue.remove_newest([owner for owner in held if held[owner] == most])

    def _held(self, owner: Owner) -> int:
        return self._running.count(owner) + self._queue.size(owner)

    def _serve(self) -> None:
        with self._lock:
            request = self._queue.take(self._running)
            if request is None:  # a thread could not be started for it, and its caller knows
                return
            self._running.append(request.owner)
        began = time.monotonic()
        try:
            answer = partial(request.result.set_result, request.work())
        except BaseException as error:  # noqa: BLE001 - the caller's, whatever it is
            answer = partial(request.result.set_exception, error)
        with self._lock:
            self._running.remove(request.owner)
            self._seconds += (time.monotonic() - began - self._seconds) / _SMOOTHING
        answer()


def init_app(app: Flask) -> None:
    """Give the application its hashing pool."""
    trusted = app.extensions["settings"].trusted_backends
    app.extensions["hashing"] = HashingPool(os.cpu_count() or 1, WAITING, trusted)


def pool() -> HashingPool:
    """The pool of the running application."""
    found: HashingPool = current_app.extensions["hashing"]
    return found


def _yield_to_others() -> None:
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
