"""Every event, once: its name, its outcome and the fields that it may carry.

Names are `noun.verb_past`. docs/logs/README.md has the same table for operators.
"""

from __future__ import annotations

import logging
from enum import Enum
from typing import Literal, TypedDict

Outcome = Literal["success", "failure", "refused"]


class Fields(TypedDict, total=False):
    """What an event may carry beside its outcome: ids and names, never what a person typed.

    Attributes:
        user_id: the account; None: there is none, or none any more.
        session_id: the session.
        provider: google, facebook or oidc.
        kid: the name of a signing key.
        limit: the rate limit, as `10 per 15 minute`.
        error: the code of a refusal, or the class and number of an error.
        reason: what the provider's answer lacked, in words of this program.
        count: how many sessions, or accounts.
        counts: how many rows of each table, or of each result.
        kind: which mail, or which export.

    """

    user_id: int | None
    session_id: int | None
    provider: str
    kid: str
    limit: str
    error: str
    reason: str
    count: int
    counts: dict[str, int]
    kind: str


class _Recorded(Enum):
    """What can be recorded.

    Attributes:
        outcome: success; failure: a proof or a step did not work; refused: a rule said no.
        fields: the names of `Fields` that it may carry.

    """

    outcome: Outcome
    fields: frozenset[str]

    def __new__(cls, name: str, outcome: Outcome, *fields: str) -> _Recorded:
        member = object.__new__(cls)
        member._value_ = name
        member.outcome, member.fields = outcome, frozenset(fields)
        return member


class Event(_Recorded):
    """What happened to an account, or was asked of the service: the audit trail."""

    ACCOUNT_REGISTERED = "account.registered", "success", "user_id", "provider"
    ACCOUNT_DISABLED = "account.disabled", "success", "user_id"
    ACCOUNT_ENABLED = "account.enabled", "success", "user_id"
    ACCOUNT_DELETED = "account.deleted", "success", "user_id"
    ACCOUNTS_IMPORTED = "accounts.imported", "success", "counts"
    ACCOUNTS_EXPORTED = "accounts.exported", "success", "count", "kind"
    PROFILE_CHANGED = "profile.changed", "success", "user_id"
    EMAIL_CHANGED = "email.changed", "success", "user_id"
    EMAIL_VERIFIED = "email.verified", "success", "user_id"
    ACCOUNT_RECOVERED = "account.recovered", "success", "user_id"
    MAIL_REQUESTED = "mail.requested", "success", "user_id", "kind"
    MAIL_DELIVERED = "mail.delivered", "success", "user_id", "kind"
    PROOF_REFUSED = "proof.refused", "refused", "kind"
    EMAIL_TRANSFERRED = "email.transferred", "success", "user_id", "provider"

    PASSWORD_CHANGED = "password.changed", "success", "user_id"
    PASSWORD_RECOVERED = "password.recovered", "success", "user_id"
    PASSWORD_REMOVED = "password.removed", "success", "user_id", "provider"
    PASSWORD_CHECK_FAILED = "password.check_failed", "failure", "user_id", "session_id"

    LOGIN_FAILED = "login.failed", "failure", "user_id"
    LOGIN_REFUSED = "login.refused", "refused", "user_id", "provider"
    SESSION_OPENED = "session.opened", "success", "user_id", "session_id"
    SESSION_REFRESHED = "session.refreshed", "success", "user_id", "session_id"
    SESSION_ENDED = "session.ended", "success", "user_id", "session_id", "count"
    REFRESH_TOKEN_REPEATED = "refresh_token.repeated", "success", "user_id", "session_id"
    REFRESH_TOKEN_REUSED = "refresh_token.reused", "refused", "user_id", "session_id"

    IDENTITY_AUTHENTICATED = "identity.authenticated", "success", "user_id", "provider"
    IDENTITY_CONNECTED = "identity.connected", "success", "user_id", "provider"
    IDENTITY_DISCONNECTED = "identity.disconnected", "success", "user_id", "provider"
    IDENTITY_CONFIRMED = "identity.confirmed", "success", "user_id", "session_id", "provider"
    IDENTITY_REFUSED = "identity.refused", "refused", "user_id", "provider", "error"
    PROVIDER_LOGIN_FAILED = "provider_login.failed", "failure", "provider", "error", "reason"
    CODE_REFUSED = "code.refused", "refused", "user_id"

    LIMIT_EXCEEDED = "limit.exceeded", "refused", "limit"
    REQUEST_REFUSED = "request.refused", "refused", "error"
    KEY_CREATED = "key.created", "success", "kid"
    KEY_RETIRED = "key.retired", "success", "kid"
    ROWS_PURGED = "rows.purged", "success", "counts"

    @property
    def level(self) -> int:
        """The level of the log line."""
        return logging.INFO if self.outcome == "success" else logging.WARNING


class Fault(_Recorded):
    """What failed in the service itself: for its operator, and of no account."""

    DATABASE_FAILED = "database.failed", "failure", "error"
    REQUEST_FAILED = "request.failed", "failure", "error"
    REVOCATION_LIST_REFRESH_FAILED = "revocation_list.refresh_failed", "failure", "error"
    ROWS_PURGE_FAILED = "rows.purge_failed", "failure", "error"
    MAIL_POSTPONED = "mail.postponed", "failure", "kind", "error"
    MAIL_ABANDONED = "mail.abandoned", "failure", "kind", "error"
    MAIL_SENDING_FAILED = "mail.sending_failed", "failure", "error"
    BODY_WATCH_FAILED = "body_watch.failed", "failure", "error"

    @property
    def level(self) -> int:
        """The level of the log line."""
        return logging.ERROR
