"""Passwords: which are good enough, and how they are hashed and checked."""

from __future__ import annotations

import re
from typing import cast

from app.accounts import hashing
from app.accounts.hashing import Turn
from app.config import settings
from app.database import release_connection
from app.extensions import bcrypt
from app.models import composed

MIN_CHARACTERS = 8
# What bcrypt reads. More would be cut off in silence, so more is refused (ASVS 5.0, 6.2.8).
MAX_BYTES = 72
# How many seconds somebody may have to wait. Who logs in again and again had better come back
# later; who registers does it once, with a form filled in, and no address does it often.
LOGIN_PATIENCE = 5
REGISTRATION_PATIENCE = 20

# Version, cost, 16 bytes of salt (the last of its 22 characters holds two bits), 23 of digest.
_BCRYPT_HASH = re.compile(
    r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
)


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


def hash_password(password: str, turn: Turn) -> str:
    """Return the bcrypt hash to store.

    Args:
        password: as typed.
        turn: for whom; None for nobody in particular.

    Raises:
        BusyError: so many passwords wait already that this one's turn would not come soon.

    """
    rounds = settings().bcrypt_log_rounds
    release_connection()
    return hashing.pool().run(
        lambda: _hash(composed(password), rounds), REGISTRATION_PATIENCE, turn
    )


def verify(password: str, stored: str | None, turn: Turn) -> bool:
    """Tell whether a password belongs to a stored hash, with the same work whatever the answer.

    An account that does not exist (`stored` is None), a password that bcrypt cannot read and a
    hash made at a lower cost all take as long as a check at today's cost (ASVS 5.0, 6.3.8).

    Args:
        password: as typed.
        stored: the hash, or None.
        turn: for whom; None for nobody in particular.

    Raises:
        BusyError: so many passwords wait already that this one's turn would not come soon.

    """
    rounds = settings().bcrypt_log_rounds
    release_connection()
    return hashing.pool().run(
        lambda: _verify(composed(password), stored, rounds), LOGIN_PATIENCE, turn
    )


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
