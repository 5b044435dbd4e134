"""Hashing passwords with bcrypt, and checking them, in equal time for every result."""

from __future__ import annotations

import time
from typing import cast

from app.config import settings
from app.core.database import release_connection
from app.extensions import bcrypt
from app.passwords import hashing_pool
from app.passwords.hashing_pool import FlowKey
from app.passwords.policy import MAX_BYTES
from app.passwords.schemes import PBKDF2_SHA256, StoredHash, recognise
from app.text import nfc

# Seconds in the queue before a request is refused. A login can be repeated; a registration is a
# filled-in form, sent once, and rate limited by address.
LOGIN_PATIENCE = 5
REGISTRATION_PATIENCE = 20
# The lowest cost of bcrypt.
_MIN_COST = 4
# By how much the cost of the hash with which PBKDF2 is compared is below the configured one.
_SMALLER = 4


def hash_password(password: str, flow_key: FlowKey) -> str:
    """Return the bcrypt hash to store.

    Args:
        password: as typed.
        flow_key: for whom, by which the fair queue serves it.

    Raises:
        BusyError: the queue is longer than the patience allows.

    """
    rounds = settings().bcrypt_log_rounds
    release_connection()
    return hashing_pool.pool().run(
        lambda: _hash(nfc(password), rounds), REGISTRATION_PATIENCE, flow_key
    )


def verify(password: str, stored: str | None, flow_key: FlowKey) -> bool:
    """Tell whether a password matches a stored hash, in equal time for every refusal.

    An unknown account (`stored` is None), a password that the scheme cannot take and a hash of a
    lower cost or another scheme all take as long as a check at the configured cost (ASVS 5.0,
    6.3.8). Only a hash of a higher cost takes longer.

    The password counts in NFC, in which hashes are made here, and as typed: another program may
    have hashed it so. Where the two differ, every account takes the work twice.

    Args:
        password: as typed.
        stored: the hash, or None.
        flow_key: for whom, by which the fair queue serves it.

    Raises:
        BusyError: the queue is longer than the patience allows.

    """
    rounds = settings().bcrypt_log_rounds
    release_connection()
    return hashing_pool.pool().run(
        lambda: _verify(password, stored, rounds), LOGIN_PATIENCE, flow_key
    )


def needs_rehash(stored: str, password: str) -> bool:
    """Tell whether the password that matched can have a hash of today's form, and has another.

    A password of more than 72 bytes, which another program hashed, keeps its hash.
    """
    today = f"$2b${settings().bcrypt_log_rounds:02}$"
    return not stored.startswith(today) and len(nfc(password).encode()) <= MAX_BYTES


def _hash(password: str, rounds: int) -> str:
    return cast("str", bcrypt.generate_password_hash(password, rounds).decode("ascii"))


def _verify(password: str, stored: str | None, rounds: int) -> bool:
    known = recognise(stored) if stored is not None else None
    for spelling in dict.fromkeys((nfc(password), password)):
        if known is None or not known.takes(spelling):
            _hash("equal work", rounds)
        elif _matches(known, spelling, rounds):
            return True
    return False


def _matches(known: StoredHash, password: str, rounds: int) -> bool:
    began = time.thread_time()
    if known.matches(password):
        return True
    if known.scheme == PBKDF2_SHA256:
        done = _work_of(time.thread_time() - began, rounds)
    else:
        done = 2**known.cost
    _do_work(2**rounds - done)
    return False


def _work_of(seconds: float, rounds: int) -> int:
    """How many rounds of bcrypt take these seconds and those of this function.

    Compared each time and by the processor's time of this thread, so that neither the machine nor
    what else it does matters.
    """
    cost = max(rounds - _SMALLER, _MIN_COST)
    began = time.thread_time()
    _hash("equal work", cost)
    return int(2**cost * (1 + seconds / (time.thread_time() - began)))


def _do_work(missing: int) -> None:
    """Do this many rounds of bcrypt: one hash for each binary digit that is set."""
    for cost in range(_MIN_COST, max(missing, 0).bit_length()):
        if missing >> cost & 1:
            _hash("equal work", cost)
