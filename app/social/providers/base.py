"""The identity providers, as clients of Authlib.

Loaded only if a provider is configured: Authlib and Requests take 8 MB of a worker. The state of a
login waits in the browser's signed cookie and counts once. While a provider hangs, its logins fail
within the deadline and occupy few of the worker's threads.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from joserfc.errors import JoseError
from requests import RequestException, Timeout
from urllib3.exceptions import HTTPError

from app.accounts.email_rule import valid_email
from app.config import Config, settings
from app.core.database import release_connection
from app.core.errors import fault_name
from app.proof import mailed_code
from app.proof.confirmation import CLOCK_SKEW, is_proven_by_provider
from app.social.errors import (
    DeclinedError,
    ProviderBusyError,
    ProviderFaultError,
    ProviderTimeoutError,
    StaleSignInError,
)
from app.social.identities import ExternalIdentity
from app.social.intent import LoginIntent
from app.social.providers import PendingAuthorization
from app.social.providers.bounded import DEADLINE, BoundedSession

# How long a person may stay at the provider, in seconds, and how many logins a browser may have
# begun: the cookie that keeps their state holds 4 KB.
START_SECONDS = 600
MAX_STARTS = 3
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")
# Every exception that reading an answer can raise; Authlib's RuntimeError is a missing address.
FAULTS = (
    AuthlibBaseError, JoseError, RequestException, HTTPError,
    ValueError, TypeError, KeyError, AttributeError, RuntimeError, OverflowError,
)  # fmt: skip


class StateStore(FlaskIntegration):  # type: ignore[misc]
    """Authlib's storage of OAuth states: the browser's cookie, which must stay small."""

    expires_in = START_SECONDS

    def set_state_data(self, session: Any, state: str, data: dict[str, Any]) -> None:
        """Store one more state; of all providers' states only the newest `MAX_STARTS` stay."""
        begun = sorted(
            (name for name in session if name.startswith("_state_")),
            key=lambda name: session[name]["exp"],
        )
        for name in begun[: -(MAX_STARTS - 1)]:
            del session[name]
        super().set_state_data(session, state, data)

    def take(self, session: Any, state: str) -> dict[str, Any] | None:
        """Remove a state and return its data, or None if it is unknown or expired."""
        kept: dict[str, Any] | None = session.pop(f"_state_{self.name}_{state}", None)
        return kept["data"] if kept and kept["exp"] > time.time() else None


class Provider(FlaskOAuth2App):  # type: ignore[misc]
    """What all providers have in common: begin a login, and verify the answer."""

    client_cls = BoundedSession

    def bind(self, config: Config) -> None:
        """Apply the settings."""
        self.callback_url = f"{config.public_url}/login/{self.name}/callback"
        self._places = threading.BoundedSemaphore(max(1, config.threads // 4))

    @property
    def label(self) -> str:
        """What people call the provider."""
        return settings().providers[self.name]

    def begin(self, intent: LoginIntent) -> str:
        """Return the provider's address to send the browser to, and store the state and intent.

        A confirmation asks the provider to authenticate the person again.

        Raises:
            ProviderError: the provider does not answer, or is busy.

        """
        with self._conversation():
            begun = self.create_authorization_url(
                self.callback_url,
                state=generate_token(24),
                **self.parameters(again=intent.is_confirmation),
            )
        kept = {"verifier": begun["code_verifier"], "nonce": begun.get("nonce", "")}
        kept["requested_at"] = int(time.time())
        self.save_authorize_data(state=begun["state"], intent=intent.to_cookie(), **kept)
        return cast("str", begun["url"])

    def resume(
        self, browser: MutableMapping[str, Any], arguments: Mapping[str, str]
    ) -> PendingAuthorization:
        """Return the login that this browser began. Each state counts once.

        Args:
            browser: the browser's session.
            arguments: the query of the callback.

        Raises:
            StaleSignInError: the OAuth state is unknown, expired or already used.

        """
        kept = self.framework.take(browser, arguments.get("state", ""))
        if kept is None or "requested_at" not in kept:  # a cookie from before an upgrade
            raise StaleSignInError("state")
        return PendingAuthorization(
            LoginIntent.from_cookie(kept["intent"]),
            kept["verifier"],
            kept["nonce"],
            _from_unix(kept["requested_at"]),
        )

    def parameters(self, *, again: bool) -> dict[str, str]:
        """Further parameters of the request; `again`: authenticate the person again."""
        raise NotImplementedError

    def identify(
        self, start: PendingAuthorization, arguments: Mapping[str, str]
    ) -> tuple[ExternalIdentity, datetime | None]:
        """Return the identity that the provider vouches for, and when the person proved it.

        The time is UTC; None: the provider remembered the person from an earlier login.

        Raises:
            ProviderError: the person declined, the provider does not answer, or its answer cannot
                be verified.

        """
        error = arguments.get("error")
        with self._conversation():
            self.check_sender(arguments)
            if error == "access_denied":
                raise DeclinedError(error)
            if error:
                raise ProviderFaultError("error in the answer")
            token = self.fetch_access_token(
                self.callback_url, code=arguments["code"], code_verifier=start.verifier
            )
            facts = self.facts(token, start)
            return self.identity(facts), _proven_at(facts, start)

    def check_sender(self, arguments: Mapping[str, str]) -> None:
        """Refuse an answer of another issuer (`iss`, RFC 9207)."""

    def facts(self, token: dict[str, Any], start: PendingAuthorization) -> dict[str, Any]:
        """Return the claims about the person of a token."""
        raise NotImplementedError

    def is_authoritative(self, domain: str, facts: dict[str, Any]) -> bool:
        """Tell whether the provider issues the e-mail addresses of a domain."""
        raise NotImplementedError

    def identity(self, facts: dict[str, Any]) -> ExternalIdentity:
        """Return the identity that the claims describe."""
        subject = facts.get("sub")
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise ProviderFaultError("no subject")
        email, name = facts.get("email"), facts.get("name")
        email = valid_email(email.strip()) if isinstance(email, str) else None
        domain = (email or "").rpartition("@")[2].lower()
        verified = email is not None and facts.get("email_verified") is True
        return ExternalIdentity(
            self.name,
            settings().issuers[self.name],
            subject,
            email,
            email_proven=verified and self.is_authoritative(domain, facts),
            name=name if isinstance(name, str) else None,
        )

    @contextmanager
    def _conversation(self) -> Iterator[None]:
        """Limit how many threads wait for the provider, and translate every failure."""
        release_connection()
        if not self._places.acquire(blocking=False):
            raise ProviderBusyError("places")
        began = time.monotonic()
        try:
            yield
        except Timeout as error:
            raise ProviderTimeoutError(fault_name(error)) from None
        except FAULTS as error:
            if time.monotonic() - began >= DEADLINE:  # its socket was shut
                raise ProviderTimeoutError(_fault(error)) from None
            raise ProviderFaultError(_fault(error)) from None
        finally:
            self._places.release()


def _proven_at(facts: dict[str, Any], start: PendingAuthorization) -> datetime | None:
    """When the person authenticated at the provider, or None if that is not known."""
    told = facts.get("auth_time")
    if told is not None and (isinstance(told, bool) or not isinstance(told, int | float)):
        raise ProviderFaultError("auth_time")
    if told is not None and not told <= time.time() + CLOCK_SKEW.total_seconds():
        raise ProviderFaultError("auth_time")  # of the future, or not a number
    intent = start.intent
    account = intent.asked.user_id if intent.asked is not None else intent.began_by
    # Weaker than a code by mail, and so counts only where none can be sent.
    begun_in_session = account is not None and not (
        settings().smtp_host and mailed_code.is_possible(account)
    )
    requested_at = start.requested_at.replace(tzinfo=UTC).timestamp()
    proven = is_proven_by_provider(told, requested_at, begun_in_session=begun_in_session)
    return start.requested_at if proven else None


def _from_unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _fault(error: Exception) -> str:
    """The fault and, for JWT claims, which one; never the provider's own words."""
    claim = getattr(error, "claim", None)
    return fault_name(error, claim if isinstance(claim, str) else "")
