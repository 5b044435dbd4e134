"""Attempts with a password: whether one may be checked, and what its failure counts.

The limits are those of docs/limits. They need the account, so that the use cases apply them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.core.networks import network
from app.limits.rules import (
    CONFIRMATIONS,
    FAILURES_FROM_SOURCE,
    FAILURES_OF_ACCOUNT,
    FAILURES_OF_ADDRESS,
    clear_counters,
    count,
    hashed_name,
    hit,
    is_over,
    is_trusted,
    refuse,
)


def clear(account: int | str, session_ids: Iterable[int]) -> int:
    """Forget the failed logins of an account, from everywhere, and its failed confirmations.

    Those of its clients' networks over all accounts stay.

    Args:
        account: its id; where there is no such account, the name that was tried.
        session_ids: its sessions.

    Returns:
        How many counters there were.

    Raises:
        CountersNotListedError: the storage of the counters cannot be searched.

    """
    confirmations = (ConfirmationAttempt(number).names() for number in session_ids)
    return sum(clear_counters(*names) for names in (_names_of(account), *confirmations))


def _names_of(account: int | str) -> tuple[str, str]:
    if isinstance(account, int):
        return ("login", f"user-{account}")
    return ("login", hashed_name(account))


@dataclass(frozen=True, slots=True)
class LoginAttempt:
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

    def check(self) -> None:
        """Check the limits without counting.

        Called before hashing, and again before a right password counts: of many guesses sent at
        once only those count that came before the limit (ASVS 5.0, 15.4.2).

        Raises:
            TooManyRequestsError: too many failed within 15 minutes.

        """
        if self._counts_by_source() and is_over(FAILURES_FROM_SOURCE, *self._source()):
            refuse(FAILURES_FROM_SOURCE, *self._source())
        if is_over(FAILURES_OF_ACCOUNT, *self._account()) and not self._is_known():
            refuse(FAILURES_OF_ACCOUNT, *self._account())
        if not is_trusted(self.address):
            over = is_over(FAILURES_OF_ADDRESS, *self._spraying())
            if over and not self._is_known():
                refuse(FAILURES_OF_ADDRESS, *self._spraying())

    def record_failure(self) -> int | None:
        """Count a wrong password and return how many more may be tried; None: not limited here.

        Raises:
            TooManyRequestsError: others reached a limit while this one was checked.

        """
        known = self._is_known()
        of_account = count(FAILURES_OF_ACCOUNT, *self._account())
        if of_account > FAILURES_OF_ACCOUNT.amount and not known:
            refuse(FAILURES_OF_ACCOUNT, *self._account())
        if not known and not is_trusted(self.address):
            hit(FAILURES_OF_ADDRESS, *self._spraying())
        if not self._counts_by_source():
            return None
        return hit(FAILURES_FROM_SOURCE, *self._source())

    def _is_known(self) -> bool:
        """Whether the owner has logged in from this browser or network before.

        A trusted back end's network is every account's, and so says nothing.
        """
        if self.browser is not None:
            return True
        return not is_trusted(self.address) and self.is_known_network()

    def _counts_by_source(self) -> bool:
        return self.browser is not None or not is_trusted(self.address)

    def _source(self) -> tuple[str, ...]:
        if self.browser is not None:
            return (*self._account(), "browser", self.browser)
        return (*self._account(), network(self.address))

    def _account(self) -> tuple[str, str]:
        return _names_of(self.account)

    def _spraying(self) -> tuple[str, str]:
        return ("spraying", network(self.address))


@dataclass(frozen=True, slots=True)
class ConfirmationAttempt:
    """A current password sent in a session; its failures block no other session."""

    session_id: int

    def check(self) -> None:
        """Check the limit without counting; called as `LoginAttempt.check` is.

        Raises:
            TooManyRequestsError: too many failed in this session within 15 minutes.

        """
        if is_over(CONFIRMATIONS, *self.names()):
            refuse(CONFIRMATIONS, *self.names())

    def record_failure(self) -> int | None:
        """Count a wrong password and return how many more may be tried.

        Raises:
            TooManyRequestsError: others reached the limit while this one was checked.

        """
        return hit(CONFIRMATIONS, *self.names())

    def names(self) -> tuple[str, str]:
        """What the counter of the session is called."""
        return ("confirm", f"session-{self.session_id}")
