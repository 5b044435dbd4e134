"""How often is too often: for an address, and for guesses at an account's password."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.errors import ConfigurationError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.accounts.counters import DatabaseStorage
from app.accounts.errors import TooManyRequestsError
from app.config import Config, ConfigError
from app.extensions import db
from app.models import lookup_key

_log = logging.getLogger("loguserapp.audit")

REGISTRATIONS = RateLimitItemPerHour(60)
TOKEN_CALLS = RateLimitItemPerMinute(60)
# Failed logins of an account, in 15 minutes from the first.
FAILURES_FROM_ADDRESS = RateLimitItemPerMinute(10, 15)
FAILURES_FROM_ALL = RateLimitItemPerMinute(50, 15)


def count_registration(address: str) -> None:
    """Count one more account that an address makes.

    Raises:
        TooManyRequestsError: these were too many in an hour.

    """
    _count(REGISTRATIONS, "register", _network(address))


def count_token_call(address: str) -> None:
    """Count one more call of an address for or with a token.

    Raises:
        TooManyRequestsError: these were too many in a minute.

    """
    _count(TOKEN_CALLS, "token", _network(address))


@dataclass(frozen=True, slots=True)
class Guess:
    """A password that somebody sends for an account.

    Attributes:
        account: the number of the account; where there is none, the name that was sent.
        address: where it comes from.
        is_known: whether the owner has logged in from there before; asked only when failures from
            elsewhere would shut the owner out.

    """

    account: int | str
    address: str
    is_known: Callable[[], bool]

    def allow(self) -> None:
        """Return if the password may be looked at.

        Asked before the work of hashing, and again before a right password counts: of many guesses
        sent at once only those count that came before the limit (ASVS 5.0, 15.4.2).

        Raises:
            TooManyRequestsError: too many were wrong in 15 minutes.

        """
        limiter, account, network = _limiter(), self._name(), _network(self.address)
        if limiter is None:
            return
        if not limiter.test(FAILURES_FROM_ADDRESS, account, network):
            raise _too_many(limiter, FAILURES_FROM_ADDRESS, account, network)
        if not limiter.test(FAILURES_FROM_ALL, account) and not self.is_known():
            raise _too_many(limiter, FAILURES_FROM_ALL, account)

    def count_wrong(self) -> None:
        """Note that the password was wrong.

        Raises:
            TooManyRequestsError: others reached the limit while this one was looked at.

        """
        limiter = _limiter()
        if limiter is not None:
            limiter.hit(FAILURES_FROM_ALL, self._name())
            _count(FAILURES_FROM_ADDRESS, self._name(), _network(self.address))

    def _name(self) -> str:
        if isinstance(self.account, int):
            return f"user-{self.account}"
        # People type passwords where a name belongs: what was sent is not kept.
        return hashlib.sha256(lookup_key(self.account).encode()).hexdigest()


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
    except (ConfigurationError, TypeError, ValueError) as error:
        raise ConfigError(f"RATELIMIT_STORAGE_URI cannot be used: {error}") from None


def _limiter() -> FixedWindowRateLimiter | None:
    limiter: FixedWindowRateLimiter | None = current_app.extensions["limiter"]
    return limiter


def _count(item: RateLimitItem, *names: str) -> None:
    limiter = _limiter()
    if limiter is not None and not limiter.hit(item, *names):
        raise _too_many(limiter, item, *names)


def _too_many(
    limiter: FixedWindowRateLimiter, item: RateLimitItem, *names: str
) -> TooManyRequestsError:
    _log.warning("limit", extra={"limit": str(item), "outcome": "refused"})
    end = limiter.get_window_stats(item, *names).reset_time
    return TooManyRequestsError(max(1, math.ceil(end - time.time())))


def _network(address: str) -> str:
    """The address, or of IPv6 the network that one subscriber has to choose addresses from."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)  # noqa: PLR2004
