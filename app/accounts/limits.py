"""Rate limits: how many guesses, registrations and bad tokens are too many (docs/limits)."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.errors import ConfigurationError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.accounts.counters import DatabaseStorage
from app.accounts.errors import (
    TokenInvalidError,
    TokenWrongTypeError,
    TooManyRequestsError,
    UnknownCodeError,
)
from app.config import Config, ConfigError, settings
from app.extensions import db
from app.models import lookup_key
from app.network import is_within, network

_log = logging.getLogger("loguserapp.audit")

REGISTRATIONS = RateLimitItemPerHour(60)
BAD_TOKENS = RateLimitItemPerMinute(60)
# Failed logins: of an account from one address or browser, of an account, and of an address.
FAILURES_FROM_SOURCE = RateLimitItemPerMinute(10, 15)
FAILURES_OF_ACCOUNT = RateLimitItemPerMinute(50, 15)
FAILURES_OF_ADDRESS = RateLimitItemPerMinute(100, 15)
# Failed confirmations of the current password in one session.
CONFIRMATIONS = RateLimitItemPerMinute(10, 15)


def count_registration(address: str) -> None:
    """Count one more account that an address registers.

    Raises:
        TooManyRequestsError: more than `REGISTRATIONS`.

    """
    if not _is_trusted(address):
        _hit(REGISTRATIONS, "register", network(address))


@contextmanager
def counting_bad_tokens(address: str) -> Iterator[None]:
    """Count a token or one-time code that is not one of ours; a good one is never counted.

    Tokens of ours that are expired, revoked or of the other type are not counted either.

    Raises:
        TooManyRequestsError: it is not ours, and the address sent more than `BAD_TOKENS`.

    """
    try:
        yield
    except TokenWrongTypeError:
        raise
    except (TokenInvalidError, UnknownCodeError):
        if not _is_trusted(address):
            _hit(BAD_TOKENS, "token", network(address))
        raise


@dataclass(frozen=True, slots=True)
class LoginGuess:
    """A password sent for an account.

    Attributes:
        account: its id; where there is no such account, the name that was sent.
        address: the client's.
        browser: the browser's id, if the owner has logged in there before; else None.
        is_known_network: whether the owner has logged in from the client's network before.

    """

    account: int | str
    address: str
    browser: str | None
    is_known_network: Callable[[], bool]

    def allow(self) -> None:
        """Return if the password may be checked.

        Called before hashing, and again before a right password counts: of many guesses sent at
        once only those count that came before the limit (ASVS 5.0, 15.4.2).

        Raises:
            TooManyRequestsError: too many failed within 15 minutes.

        """
        if self._counts_by_source() and _is_over(FAILURES_FROM_SOURCE, *self._source()):
            raise _too_many(FAILURES_FROM_SOURCE, *self._source())
        if _is_over(FAILURES_OF_ACCOUNT, *self._account()) and not self._is_known():
            raise _too_many(FAILURES_OF_ACCOUNT, *self._account())
        if not _is_trusted(self.address):
            over = _is_over(FAILURES_OF_ADDRESS, *self._spraying())
            if over and not self._is_known():
                raise _too_many(FAILURES_OF_ADDRESS, *self._spraying())

    def count_failure(self) -> int | None:
        """Count a wrong password and return how many more may be tried; None: not limited here.

        Raises:
            TooManyRequestsError: others reached a limit while this one was checked.

        """
        known = self._is_known()
        of_account = _count(FAILURES_OF_ACCOUNT, *self._account())
        if of_account > FAILURES_OF_ACCOUNT.amount and not known:
            raise _too_many(FAILURES_OF_ACCOUNT, *self._account())
        if not known and not _is_trusted(self.address):
            _hit(FAILURES_OF_ADDRESS, *self._spraying())
        if not self._counts_by_source():
            return None
        return _hit(FAILURES_FROM_SOURCE, *self._source())

    def _is_known(self) -> bool:
        """Whether the owner has logged in from this browser or network before.

        A trusted back end's network is every account's, and so says nothing.
        """
        if self.browser is not None:
            return True
        return not _is_trusted(self.address) and self.is_known_network()

    def _counts_by_source(self) -> bool:
        return self.browser is not None or not _is_trusted(self.address)

    def _source(self) -> tuple[str, ...]:
        if self.browser is not None:
            return (*self._account(), "browser", self.browser)
        return (*self._account(), network(self.address))

    def _account(self) -> tuple[str, str]:
        if isinstance(self.account, int):
            return ("login", f"user-{self.account}")
        # People type passwords where a name belongs: what was sent is not kept.
        return ("login", hashlib.sha256(lookup_key(self.account).encode()).hexdigest())

    def _spraying(self) -> tuple[str, str]:
        return ("spraying", network(self.address))


@dataclass(frozen=True, slots=True)
class ConfirmationGuess:
    """A current password sent in a session, whose failures block no other session."""

    session_id: int

    def allow(self) -> None:
        """Return if the password may be checked; called as `LoginGuess.allow` is.

        Raises:
            TooManyRequestsError: too many failed in this session within 15 minutes.

        """
        if _is_over(CONFIRMATIONS, *self._session()):
            raise _too_many(CONFIRMATIONS, *self._session())

    def count_failure(self) -> int | None:
        """Count a wrong password and return how many more may be tried.

        Raises:
            TooManyRequestsError: others reached the limit while this one was checked.

        """
        return _hit(CONFIRMATIONS, *self._session())

    def _session(self) -> tuple[str, str]:
        return ("confirm", f"session-{self.session_id}")


def init_app(app: Flask) -> None:
    """Give the application its counters.

    Raises:
        ConfigError: RATELIMIT_STORAGE_URI names a storage that is not there.

    """
    config: Config = app.extensions["settings"]
    app.extensions["limiter"] = None
    if not config.ratelimit_enabled:
        return
    app.extensions["limiter"] = FixedWindowRateLimiter(_storage(app, config.ratelimit_storage_uri))


def _storage(app: Flask, uri: str) -> Storage:
    if uri == "database://":
        with app.app_context():
            return DatabaseStorage(db.engine)
    try:
        return cast("Storage", storage_from_string(uri))
    except (ConfigurationError, TypeError, ValueError):
        # Neither the address nor what the library says of it: both hold the password.
        scheme = re.match(r"[a-z0-9+]+://", uri)
        named = f"{scheme[0]}… " if scheme else ""
        raise ConfigError(
            f"RATELIMIT_STORAGE_URI {named}cannot be used: it names a storage of the library "
            "limits that is not installed, or is malformed."
        ) from None


def _limiter() -> FixedWindowRateLimiter | None:
    limiter: FixedWindowRateLimiter | None = current_app.extensions["limiter"]
    return limiter


def _is_trusted(address: str) -> bool:
    return is_within(address, settings().trusted_backends)


def _is_over(item: RateLimitItem, *names: str) -> bool:
    limiter = _limiter()
    return limiter is not None and not limiter.test(item, *names)


def _count(item: RateLimitItem, *names: str) -> int:
    """Add one and return how many there are; 0 where nothing is counted."""
    limiter = _limiter()
    if limiter is None:
        return 0
    return limiter.storage.incr(item.key_for(*names), item.get_expiry())


def _hit(item: RateLimitItem, *names: str) -> int | None:
    """Add one and return how many more there may be; None where nothing is counted."""
    counted = _count(item, *names)
    if counted > item.amount:
        raise _too_many(item, *names)
    return item.amount - counted if counted else None


def _too_many(item: RateLimitItem, *names: str) -> TooManyRequestsError:
    _log.warning("limit", extra={"limit": str(item), "outcome": "refused"})
    limiter = _limiter()
    end = limiter.get_window_stats(item, *names).reset_time if limiter else 0
    return TooManyRequestsError(max(1, math.ceil(end - time.time())))
