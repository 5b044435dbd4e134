"""Fair queuing of password hashes by client address, in low-priority threads."""

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

from flask import Flask

from app.config import IPNetwork, settings
from app.core.errors import BusyError
from app.core.networks import is_within, network
from app.core.threads import use_every_core
from app.services import Service

# Places in one worker: enough for a class that registers at once, too few for a flood.
WAITING = 64

# Window of the moving average of the seconds per hash.
_SMOOTHING = 8

T = TypeVar("T")
# The flow of a request: ("address", a network), or ("account", one of a trusted back end's).
Owner = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FlowKey:
    """For whom a password is hashed.

    Attributes:
        address: the client's address as text, or a name for what has none.
        account: the account's id, or the name that was given where there is no such account.

    """

    address: str
    account: str


COMMAND_LINE = FlowKey("command line", "command line")


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Queued work and the future of its result."""

    owner: Owner
    account: str
    work: Callable[[], Any]
    number: int = field(default_factory=count().__next__)
    result: Future[Any] = field(default_factory=Future)


class FairQueue:
    """Round robin over owners and, within an owner, over accounts."""

    def __init__(self) -> None:
        # In the order of service: an owner that was served goes to the end.
        self._owners: dict[Owner, dict[str, deque[Request]]] = {}

    def __len__(self) -> int:
        """How many requests wait."""
        return sum(map(self.size, self._owners))

    def size(self, owner: Owner) -> int:
        """How many requests of an owner wait."""
        return sum(map(len, self._owners.get(owner, {}).values()))

    def owners(self) -> Collection[Owner]:
        """The owners with waiting requests."""
        return self._owners.keys()

    def add(self, request: Request) -> None:
        """Put a request behind the others of its account."""
        accounts = self._owners.setdefault(request.owner, {})
        accounts.setdefault(request.account, deque()).append(request)

    def take(self, running: Sequence[Owner] = ()) -> Request | None:
        """Remove and return the next request, or None if none waits.

        Args:
            running: the owner of each hash in progress. The owner with the fewest comes first, so
                that a flood that fills every thread does not get the next one too.

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
        """The most waiting requests that would be served before a new one."""
        own = {name: len(requests) for name, requests in self._owners.get(owner, {}).items()}
        rounds = own.pop(account, 0)
        # Before the new request is served, every other owner is served once more than this one.
        ahead = rounds + sum(min(size, rounds + 1) for size in own.values())
        others = (self.size(other) for other in self._owners if other != owner)
        return ahead + sum(min(size, ahead + 1) for size in others)


class HashingPool:
    """Threads that hash at the lowest priority, and a bounded, fair queue before them.

    bcrypt takes a core for a quarter of a second and releases the GIL. At nice 19 the hashing
    threads use every idle core and yield at once to request threads; the server has more request
    threads than `WAITING`, so that some stay free. A request whose estimated wait is too long is
    refused on arrival.

    Args:
        threads: how many hash at once.
        places: how many requests may be in the pool, running ones included.
        trusted: the back ends whose requests count by account instead of by address.

    """

    def __init__(self, threads: int, places: int, trusted: Collection[IPNetwork] = ()) -> None:
        self._executor = ThreadPoolExecutor(threads, "hashing", initializer=_prepare_thread)
        self._threads, self._places, self._trusted = threads, places, trusted
        self._lock = threading.Lock()
        self._queue = FairQueue()
        self._running: list[Owner] = []
        self._seconds = 0.0  # that a thread needs for one password, by the last ones

    def run(self, work: Callable[[], T], patience: float, flow_key: FlowKey) -> T:
        """Do the work in the pool and return its result.

        Args:
            work: what takes a thread of the pool.
            patience: the longest acceptable wait in seconds.
            flow_key: for whom, by which the queue serves it.

        Raises:
            BusyError: the wait would be longer; or all places are taken and this request is, now
                or later, the newest of the owner with the most places.

        """
        return self.submit(work, patience, flow_key).result()

    def submit(self, work: Callable[[], T], patience: float, flow_key: FlowKey) -> Future[T]:
        """Like `run`, without waiting for the result."""
        owner = self._owner(flow_key)
        with self._lock:
            if self._wait(owner, flow_key.account) > patience:
                raise BusyError
            # One call of `_serve` for each waiting request; a newcomer inherits that of the
            # request it replaces. Submitted before anything is counted, because submitting may
            # fail.
            evicted = self._evict_for(owner)
            if evicted is None:
                self._executor.submit(self._serve)
            request = Request(owner, flow_key.account, work)
            self._queue.add(request)
        if evicted is not None:
            evicted.result.set_exception(BusyError())
        return request.result

    def _owner(self, flow_key: FlowKey) -> Owner:
        if is_within(flow_key.address, self._trusted):
            return "account", flow_key.account
        return "address", network(flow_key.address)

    def _wait(self, owner: Owner, account: str) -> float:
        before = len(self._running) + self._queue.before(owner, account)
        return before / self._threads * self._seconds

    def _evict_for(self, newcomer: Owner) -> Request | None:
        """Make room if there is none: remove the newest request of the owner with the most."""
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


pool = Service[HashingPool]("hashing pool")


def init_app(app: Flask) -> None:
    """Give the application its hashing pool."""
    trusted = settings.of(app).trusted_backends
    pool.bind(app, HashingPool(os.cpu_count() or 1, WAITING, trusted))


def _prepare_thread() -> None:
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    use_every_core()
