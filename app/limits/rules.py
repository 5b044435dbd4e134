"""Rate limits of guesses, registrations and invalid tokens (docs/limits)."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, cast

from flask import Flask
from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
)
from limits.errors import ConfigurationError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app import audit
from app.audit import Event
from app.config import ConfigError, settings
from app.core.errors import (
    TokenInvalidError,
    TokenWrongTypeError,
    TooManyRequestsError,
    UnknownCodeError,
)
from app.core.networks import is_within, network
from app.extensions import db
from app.limits.storage import DatabaseStorage
from app.services import Service
from app.text import lookup_key

_limiter = Service[FixedWindowRateLimiter | None]("limiter")  # None: nothing is counted

REGISTRATIONS = RateLimitItemPerHour(60)
BAD_TOKENS = RateLimitItemPerMinute(60)
# Failed logins: of an account from one address or browser, of an account, and of an address.
FAILURES_FROM_SOURCE = RateLimitItemPerMinute(10, 15)
FAILURES_OF_ACCOUNT = RateLimitItemPerMinute(50, 15)
FAILURES_OF_ADDRESS = RateLimitItemPerMinute(100, 15)
# Failed confirmations of the current password in one session.
CONFIRMATIONS = RateLimitItemPerMinute(10, 15)
STRENGTH_CHECKS = RateLimitItemPerMinute(60)
# Requests for a mail, of an address; and mails of each kind, to one e-mail.
MAIL_REQUESTS = RateLimitItemPerHour(30)
MAILS_A_MINUTE = RateLimitItemPerMinute(1)
MAILS_A_DAY = RateLimitItemPerDay(10)
_PASSWORDS = {FAILURES_FROM_SOURCE, FAILURES_OF_ACCOUNT, FAILURES_OF_ADDRESS, CONFIRMATIONS}


class CountersNotListedError(Exception):
    """RATELIMIT_STORAGE_URI names a storage that does not say which counters it has."""

    def __init__(self) -> None:
        super().__init__(
            "The storage of RATELIMIT_STORAGE_URI does not list its counters. Those of failed "
            "logins end by themselves within 15 minutes."
        )


def count_registration(address: str) -> None:
    """Count one more registration of an address.

    Raises:
        TooManyRequestsError: more than `REGISTRATIONS`.

    """
    if not is_trusted(address):
        hit(REGISTRATIONS, "register", network(address))


def count_strength_check(address: str) -> None:
    """Count one more password that is judged for an address before it is sent.

    Raises:
        TooManyRequestsError: more than `STRENGTH_CHECKS`.

    """
    hit(STRENGTH_CHECKS, "strength", network(address))


def count_mail_request(address: str) -> None:
    """Count one more request for a mail of an address.

    Raises:
        TooManyRequestsError: more than `MAIL_REQUESTS`.

    """
    if not is_trusted(address):
        hit(MAIL_REQUESTS, "mail", network(address))


def may_mail(kind: str, email: str) -> bool:
    """Tell whether a mail may be sent to an e-mail, without counting it.

    For what may still be refused; `count_mail` follows the commit.
    """
    names = _mail_names(kind, email)
    return not is_over(MAILS_A_DAY, *names) and not is_over(MAILS_A_MINUTE, *names)


def count_mail(kind: str, email: str) -> bool:
    """Count a mail to an e-mail, which may have no account, and tell whether it may be sent.

    Call it outside of a transaction: the counters have their own.
    """
    names = _mail_names(kind, email)
    if not may_mail(kind, email) or count(MAILS_A_MINUTE, *names) > MAILS_A_MINUTE.amount:
        return False
    return count(MAILS_A_DAY, *names) <= MAILS_A_DAY.amount


def _mail_names(kind: str, email: str) -> tuple[str, ...]:
    return ("mail", kind, hashed_name(email))


def hashed_name(name: str) -> str:
    """A name or e-mail as counters are called by: people type passwords where a name belongs."""
    return hashlib.sha256(lookup_key(name).encode()).hexdigest()


@contextmanager
def counting_bad_tokens(address: str) -> Iterator[None]:
    """Count a token or one-time code that this service did not issue.

    Valid tokens are not counted, nor are our own that are expired, revoked or of the other type.

    Raises:
        TooManyRequestsError: the address sent more than `BAD_TOKENS`.

    """
    try:
        yield
    except TokenWrongTypeError:
        raise
    except (TokenInvalidError, UnknownCodeError):
        if not is_trusted(address):
            hit(BAD_TOKENS, "token", network(address))
        raise


def init_app(app: Flask) -> None:
    """Connect the application to the storage of the counters.

    Raises:
        ConfigError: RATELIMIT_STORAGE_URI is malformed, or its storage is not installed.

    """
    config = settings.of(app)
    limiter = None
    if config.ratelimit_enabled:
        limiter = FixedWindowRateLimiter(_storage(app, config.ratelimit_storage_uri))
    _limiter.bind(app, limiter)


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


def is_trusted(address: str) -> bool:
    """Whether an address is one of TRUSTED_BACKENDS, which is not limited by address."""
    return is_within(address, settings().trusted_backends)


def is_over(item: RateLimitItem, *names: str) -> bool:
    """Whether a limit is reached."""
    limiter = _limiter()
    return limiter is not None and not limiter.test(item, *names)


def count(item: RateLimitItem, *names: str) -> int:
    """Add one to a counter and return its value; 0 where nothing is counted."""
    limiter = _limiter()
    if limiter is None:
        return 0
    return limiter.storage.incr(item.key_for(*names), item.get_expiry())


def hit(item: RateLimitItem, *names: str) -> int | None:
    """Add one to a counter and return how many are left; None where nothing is counted.

    Raises:
        TooManyRequestsError: the limit is exceeded.

    """
    counted = count(item, *names)
    if counted > item.amount:
        refuse(item, *names)
    return item.amount - counted if counted else None


def clear_counters(*names: str) -> int:
    """Delete the counters whose names begin with these, whatever their limit; return how many.

    Raises:
        CountersNotListedError: the storage cannot be searched.

    """
    limiter = _limiter()
    if limiter is None:
        return 0
    if not isinstance(limiter.storage, DatabaseStorage):
        raise CountersNotListedError
    return limiter.storage.clear_all("/".join((FAILURES_OF_ACCOUNT.namespace, *names, "")))


def refuse(item: RateLimitItem, *names: str) -> NoReturn:
    """Record that a limit is exceeded, and refuse.

    Raises:
        TooManyRequestsError: always.

    """
    audit.record(Event.LIMIT_EXCEEDED, limit=str(item))
    raise TooManyRequestsError(_seconds_left(item, *names), of_passwords=item in _PASSWORDS)


def _seconds_left(item: RateLimitItem, *names: str) -> int:
    """How long a client has to wait, at least a second."""
    limiter = _limiter()
    end = limiter.get_window_stats(item, *names).reset_time if limiter else 0
    return max(1, math.ceil(end - time.time()))
