"""Passwords: which are good enough, and how they are hashed and checked."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from flask import Flask, current_app

from app.accounts.errors import BusyError
from app.config import settings
from app.database import release_connection
from app.extensions import bcrypt
from app.models import composed

MIN_CHARACTERS = 8
# What bcrypt reads. More would be cut off in silence, so more is refused (ASVS 5.0, 6.2.8).
MAX_BYTES = 72
# How many passwords may wait in one worker: a class that registers at once, and not a flood.
WAITING = 64
# How many seconds somebody may have to wait. Who logs in again and again had better come back
# later; who registers does it once, with a form filled in, and no address does it often.
LOGIN_PATIENCE = 5
REGISTRATION_PATIENCE = 20

# Version, cost, 16 bytes of salt (the last of its 22 characters holds two bits), 23 of digest.
_BCRYPT_HASH = re.compile(
    r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
)

# Over how many passwords the time that one takes is averaged.
_SMOOTHING = 8

T = TypeVar("T")


def weakness(password: str, *, own_words: list[str]) -> str | None:
    """Say what a person must change in a password, or None if it is good.

    Args:
        password: as typed.
        own_words: the person's username and e-mail, which a guesser tries first.

    """
    password = composed(password)
    if len(password) < MIN_CHARACTERS:
        return f"Use at least {MIN_CHARACTERS} characters."
    if len(password.encode()) > MAX_BYTES:
        return f"Use at most {MAX_BYTES} bytes (most letters are one byte)."
    # Imported late: where nobody registers, its word lists need no memory.
    from app.accounts.guessing import is_guessed_soon

    if is_guessed_soon(password, own_words):
        return "That password is among the first that a guesser tries. Use another."
    return None


def hash_password(password: str) -> str:
    """Return the bcrypt hash to store.

    Raises:
        BusyError: so many passwords wait already that this one's turn would not come soon.

    """
    rounds = settings().bcrypt_log_rounds
    release_connection()
    return _pool().run(lambda: _hash(composed(password), rounds), REGISTRATION_PATIENCE)


def verify(password: str, stored: str | None) -> bool:
    """Tell whether a password belongs to a stored hash, with the same work whatever the answer.

    An account that does not exist (`stored` is None), a password that bcrypt cannot read and a
    hash made at a lower cost all take as long as a check at today's cost (ASVS 5.0, 6.3.8).

    Raises:
        BusyError: so many passwords wait already that this one's turn would not come soon.

    """
    rounds = settings().bcrypt_log_rounds
    release_connection()
    return _pool().run(lambda: _verify(composed(password), stored, rounds), LOGIN_PATIENCE)


def needs_rehash(stored: str) -> bool:
    """Tell whether a stored hash was made at a lower cost than today's."""
    return _cost(stored) < settings().bcrypt_log_rounds


def _hash(password: str, rounds: int) -> str:
    return cast("str", bcrypt.generate_password_hash(password, rounds).decode("ascii"))


def _verify(password: str, stored: str | None, rounds: int) -> bool:
    readable = 0 < len(password.encode()) <= MAX_BYTES and "\0" not in password
    if stored is None or not readable or not _BCRYPT_HASH.fullmatch(stored):
        _hash("equal work", rounds)
        return False
    good = bool(bcrypt.check_password_hash(stored, password))
    if not good:
        # 2^c + (2^c + 2^(c+1) + … + 2^(r-1)) = 2^r: one hash of each cost in between makes up
        # for what an older hash was cheaper.
        for missing in range(_cost(stored), rounds):
            _hash("equal work", missing)
    return good


def _cost(stored: str) -> int:
    return int(stored[4:6])


class HashingPool:
    """Threads that hash at the lowest priority, and a bounded queue before them.

    bcrypt takes a core for a quarter of a second and lets go of the interpreter meanwhile. At
    nice 19 the threads that hash use every idle core, yet give way at once to those that answer
    requests; and the server has more threads than `WAITING`, so that some stay free.
    Whoever would wait too long is told so on arrival, from what the last hashes took.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "hashing", initializer=_yield_to_others)
        self._threads, self._places = threads, waiting
        self._lock = threading.Lock()
        self._present = 0
        self._seconds = 0.0  # that a thread needs for one password, lately

    def run(self, work: Callable[[], T], patience: float) -> T:
        """Do the work in the pool and return its result.

        Args:
            work: what takes a thread of the pool.
            patience: the seconds that it may have to wait for its turn.

        Raises:
            BusyError: every place to wait is taken, or the wait would be longer.

        """
        with self._lock:
            wait = self._present / self._threads * self._seconds
            if self._present == self._places or wait > patience:
                raise BusyError
            self._present += 1
        try:
            return self._pool.submit(self._timed, work).result()
        finally:
            with self._lock:
                self._present -= 1

    def _timed(self, work: Callable[[], T]) -> T:
        began = time.monotonic()
        try:
            return work()
        finally:
            with self._lock:
                self._seconds += (time.monotonic() - began - self._seconds) / _SMOOTHING


def init_app(app: Flask) -> None:
    """Give the application its hashing pool."""
    app.extensions["hashing"] = HashingPool(os.cpu_count() or 1, WAITING)


def _pool() -> HashingPool:
    pool: HashingPool = current_app.extensions["hashing"]
    return pool


def _yield_to_others() -> None:
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
