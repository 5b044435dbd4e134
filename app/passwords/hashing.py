"""Hashing and checking passwords with bcrypt."""

from __future__ import annotations

import re
from typing import cast

from app.config import settings
from app.core.database import release_connection
from app.extensions import bcrypt
from app.passwords import hashing_pool
from app.passwords.hashing_pool import FlowKey
from app.passwords.policy import MAX_BYTES
from app.text import nfc

# Seconds in the queue before a request is refused. A login can be repeated; a registration is a
# filled-in form, sent once, and rate limited by address.
LOGIN_PATIENCE = 5
REGISTRATION_PATIENCE = 20
# Version, cost, 16 bytes of salt (the last of its 22 characters holds two bits), 23 of digest.
_BCRYPT_HASH = re.compile(
    r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
)


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
    """Tell whether a password matches a stored hash, in equal time for every result.

    An unknown account (`stored` is None), a password that bcrypt cannot take and a hash of a lower
    cost all take as long as a check at the configured cost (ASVS 5.0, 6.3.8).

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
        lambda: _verify(nfc(password), stored, rounds), LOGIN_PATIENCE, flow_key
    )


def needs_rehash(stored: str) -> bool:
    """Tell whether a stored hash has a lower cost than the configured one."""
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
        # 2^c + (2^c + 2^(c+1) + … + 2^(r-1)) = 2^r: one hash of each cost in between adds up
        # to the work of the configured cost.
        for missing in range(_cost(stored), rounds):
            _hash("equal work", missing)
    return good


def _cost(stored: str) -> int:
    return int(stored[4:6])
