"""The rate limits that routes declare on their access marks (docs/limits)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from limits import RateLimitItem

from app.limits import rules


@dataclass(frozen=True, slots=True)
class RouteLimit:
    """What a route counts.

    A limit with neither callable is counted in the use case, which knows the account.

    Attributes:
        counted: what is counted, for the list of limits.
        rates: how often within how long.
        count_valid_form: counts a request whose form is valid, by the client's address.
        count_refusals: counts what the view raises, by the client's address.

    """

    counted: str
    rates: tuple[RateLimitItem, ...]
    count_valid_form: Callable[[str], None] | None = None
    count_refusals: Callable[[str], AbstractContextManager[object]] = nullcontext


REGISTRATION = RouteLimit(
    "registrations of an address",
    (rules.REGISTRATIONS,),
    count_valid_form=rules.count_registration,
)
TOKEN = RouteLimit(
    "tokens and codes of an address that are not ours",
    (rules.BAD_TOKENS,),
    count_refusals=rules.counting_bad_tokens,
)
MAIL = RouteLimit(
    "requests for a mail of an address, and mails of each kind to an e-mail",
    (rules.MAIL_REQUESTS, rules.MAILS_A_MINUTE, rules.MAILS_A_DAY),
    count_valid_form=rules.count_mail_request,
)
# Counted by the view, which takes no form.
OWN_MAIL = RouteLimit(f"{MAIL.counted}, of the own account", MAIL.rates)
# Counted where the proof is looked for: pages answer a refusal themselves.
PROOF = RouteLimit(
    "links and codes of an address that are not ours, and failed codes as failed logins",
    (
        rules.BAD_TOKENS,
        rules.FAILURES_FROM_SOURCE,
        rules.FAILURES_OF_ACCOUNT,
        rules.FAILURES_OF_ADDRESS,
    ),
)
STRENGTH = RouteLimit(
    "passwords of an address that are judged while a form is filled in",
    (rules.STRENGTH_CHECKS,),
    count_valid_form=rules.count_strength_check,
)
# Counted by `attempts.LoginAttempt`.
LOGIN = RouteLimit(
    "failed logins of an account and an address, of an account, and of an address",
    (rules.FAILURES_FROM_SOURCE, rules.FAILURES_OF_ACCOUNT, rules.FAILURES_OF_ADDRESS),
)
# Counted by `attempts.ConfirmationAttempt`.
CONFIRMATION = RouteLimit("failed confirmations of a session", (rules.CONFIRMATIONS,))
