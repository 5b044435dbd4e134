"""The outside identity providers: asked with Authlib, believed when everything about it fits.

Loaded only where a provider is set up: Authlib and Requests take 8 MB of a worker. What a browser
began is kept in its own signed cookie until it comes back, and counts once. While a provider
hangs, its sign-ins fail in their time and take few of the worker's threads with them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App, OAuth
from flask import Flask, request, session
from joserfc.errors import JoseError
from requests import RequestException, Timeout
from urllib3.exceptions import HTTPError

from app.accounts.confirmation import CLOCK_SKEW, is_proven_by_provider
from app.accounts.errors import (
    DeclinedError,
    ProviderBusyError,
    ProviderFaultError,
    ProviderTimeoutError,
    StaleSignInError,
)
from app.accounts.social import ExternalIdentity
from app.config import DISCOVERY, Config, settings
from app.database import release_connection
from app.forms import valid_email
from app.providers import LoginIntent, Start
from app.providers.bounded import DEADLINE, BoundedSession

# How long a person may stay at the provider, and how many sign-ins a browser may have begun: the
# cookie that keeps them holds 4 KB.
START_SECONDS = 600
MAX_STARTS = 3
# Older than any login that a provider remembers: with it the provider says how old the login is,
# and asks the person for nothing.
_ANY_AGE = 315_360_000

_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")
# Signatures that nobody but the provider can make.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
# What of a provider's own description is used; Authlib would pass all of it on to its session.
_NEEDED = {"authorization_endpoint", "token_endpoint", "jwks_uri"}
_ENDPOINTS = _NEEDED | {"userinfo_endpoint"}
_DESCRIPTION = (
    *_ENDPOINTS, "issuer", "jwks", "_loaded_at", "authorization_response_iss_parameter_supported",
)  # fmt: skip
# Whatever reading an answer from outside can raise; Authlib's RuntimeError is a missing address.
_FAULTS = (
    AuthlibBaseError, JoseError, RequestException, HTTPError,
    ValueError, TypeError, KeyError, AttributeError, RuntimeError, OverflowError,
)  # fmt: skip


class Starts(FlaskIntegration):  # type: ignore[misc]
    """Where Authlib keeps what a browser began: its cookie, which must stay small."""

    expires_in = START_SECONDS

    def set_state_data(self, session: Any, state: str, data: dict[str, Any]) -> None:
        """Keep one more, and of all that were begun at any provider the newest few."""
        begun = sorted(
            (name for name in session if name.startswith("_state_")),
            key=lambda name: session[name]["exp"],
        )
        for name in begun[: -(MAX_STARTS - 1)]:
            del session[name]
        super().set_state_data(session, state, data)

    def take(self, session: Any, state: str) -> dict[str, Any] | None:
        """Return what began under this state and forget it."""
        kept: dict[str, Any] | None = session.pop(f"_state_{self.name}_{state}", None)
        return kept["data"] if kept and kept["exp"] > time.time() else None


class Provider(FlaskOAuth2App):  # type: ignore[misc]
    """What all providers have in common: beginning a login and coming back from it."""

    client_cls = BoundedSession

    def bind(self, config: Config) -> None:
        """Know the settings."""
        self.callback_url = f"{config.public_url}/login/{self.name}/callback"
        self._places = threading.BoundedSemaphore(max(1, config.threads // 4))

    @property
    def label(self) -> str:
        """What a person calls it."""
        return settings().providers[self.name]

    def begin(self, intent: LoginIntent) -> str:
        """Return the provider's address to send the browser to, and remember why.

        A confirmation asks the provider to authenticate the person again.

        Raises:
            ProviderError: it cannot be asked just now.

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

    def come_back(self) -> Start:
        """Return what this browser began, which counts once.

        Raises:
            StaleSignInError: it began nothing like it, or too long ago, or came back already.

        """
        kept = self.framework.take(session, request.args.get("state", ""))
        if kept is None or "requested_at" not in kept:  # a cookie from before an upgrade
            raise StaleSignInError("state")
        return Start(
            LoginIntent.from_cookie(kept["intent"]),
            kept["verifier"],
            kept["nonce"],
            _from_unix(kept["requested_at"]),
        )

    def parameters(self, *, again: bool) -> dict[str, str]:
        """Further parameters of the request; `again`: authenticate the person again."""
        raise NotImplementedError

    def identify(self, start: Start) -> tuple[ExternalIdentity, datetime | None]:
        """Return the person that the provider vouches for, and when the person proved it.

        The time is UTC; None: the provider remembered the person from an earlier login.

        Raises:
            ProviderError: it does not, or cannot be asked, or must not be believed.

        """
        error = request.args.get("error")
        with self._conversation():
            self.check_sender()
            if error == "access_denied":
                raise DeclinedError(error)
            if error:
                raise ProviderFaultError("error in the answer")
            token = self.fetch_access_token(
                self.callback_url, code=request.args["code"], code_verifier=start.verifier
            )
            facts = self.facts(token, start)
            return self.identity(facts), _proven_at(facts, start)

    def check_sender(self) -> None:
        """Refuse an answer that says it is another provider's (RFC 9207)."""

    def facts(self, token: dict[str, Any], start: Start) -> dict[str, Any]:
        """Return the claims about the person whom a token of the provider's is about."""
        raise NotImplementedError

    def is_authoritative(self, domain: str, facts: dict[str, Any]) -> bool:
        """Tell whether the provider itself hands out the e-mails of a domain."""
        raise NotImplementedError

    def identity(self, facts: dict[str, Any]) -> ExternalIdentity:
        """Return the person, from the claims about it."""
        subject = facts.get("sub")
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise ProviderFaultError("no subject")
        email, name = facts.get("email"), facts.get("name")
        email = valid_email(email) if isinstance(email, str) else None
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
        """Talk to the provider with few others, and call whatever goes wrong by its name."""
        release_connection()
        if not self._places.acquire(blocking=False):
            raise ProviderBusyError("places")
        began = time.monotonic()
        try:
            yield
        except Timeout as error:
            raise ProviderTimeoutError(type(error).__name__) from None
        except _FAULTS as error:
            if time.monotonic() - began >= DEADLINE:  # its socket was shut
                raise ProviderTimeoutError(_reason(error)) from None
            raise ProviderFaultError(_reason(error)) from None
        finally:
            self._places.release()


class OpenIDProvider(Provider):
    """Google and every other provider of OpenID Connect."""

    @property
    def issuer(self) -> str:
        """Who it must say that it is: its description stands under that address."""
        return cast("str", self._server_metadata_url).removesuffix(DISCOVERY)

    def load_server_metadata(self) -> dict[str, Any]:
        """Return the provider's description of itself, as far as it is used and can be right."""
        whole = super().load_server_metadata()
        found = {name: whole[name] for name in _DESCRIPTION if name in whole}
        issuer = found.get("issuer")
        scheme = "https://" if self.issuer.startswith("https://") else "http"
        usable = isinstance(issuer, str) and issuer.rstrip("/") == self.issuer
        for name in _NEEDED | (_ENDPOINTS & found.keys()):
            usable = usable and str(found.get(name)).startswith(scheme)
        if not usable:
            self.server_metadata.clear()
            raise ProviderFaultError("description")
        offered = whole.get("id_token_signing_alg_values_supported") or ["RS256"]
        found["id_token_signing_alg_values_supported"] = [
            algorithm for algorithm in _ALGORITHMS if algorithm in offered
        ] or ["RS256"]  # an empty list would let Authlib take any
        methods = whole.get("token_endpoint_auth_methods_supported")
        if methods and "client_secret_basic" not in methods:
            found["token_endpoint_auth_method"] = "client_secret_post"
        return found

    def check_sender(self) -> None:
        """Refuse an answer that says it is another provider's, or should say and does not."""
        described = self.load_server_metadata()
        sender = request.args.get("iss")
        promised = described.get("authorization_response_iss_parameter_supported") is True
        if (sender is not None or promised) and sender != described["issuer"]:
            raise ProviderFaultError("iss")

    def parameters(self, *, again: bool) -> dict[str, str]:
        """Ask for `auth_time`, which comes with `max_age` alone (OpenID Connect Core §3.1.2.1)."""
        if again:
            return {"prompt": "login", "max_age": "0"}
        return {"max_age": str(_ANY_AGE)}

    def is_authoritative(self, domain: str, facts: dict[str, Any]) -> bool:  # noqa: ARG002
        """Tell whether the settings name the domain."""
        return domain in settings().oidc_verified_domains

    def facts(self, token: dict[str, Any], start: Start) -> dict[str, Any]:
        """Return the claims of the ID token; an e-mail may stand in the user information alone."""
        described = self.load_server_metadata()
        must = {
            "iss": {"essential": True, "value": described["issuer"]},
            "aud": {"essential": True, "value": self.client_id},
            "nonce": {"essential": True, "value": start.nonce},
        }
        try:
            claims = self.parse_id_token(token, nonce=start.nonce, claims_options=must)
        except _FAULTS:
            self.server_metadata.pop("jwks", None)  # the keys may be what is wrong
            raise
        if claims is None:
            raise ProviderFaultError("no ID token")
        facts = dict(claims)
        if "email" not in facts and "userinfo_endpoint" in described:
            facts = dict(self.userinfo(token=token))
            if facts.get("sub") != claims["sub"]:
                raise ProviderFaultError("sub")
        return facts | {"auth_time": claims.get("auth_time")}


class Google(OpenIDProvider):
    """Google, which gives no `auth_time` unless a contract says so, and knows no `prompt=login`."""

    def parameters(self, *, again: bool) -> dict[str, str]:
        """Let the person choose the account where it matters."""
        return {"prompt": "select_account"} if again else {}

    def is_authoritative(self, domain: str, facts: dict[str, Any]) -> bool:
        """Tell whether the e-mail is Google's own, or of the organisation (`hd`) it hosts."""
        return domain == "gmail.com" or domain == facts.get("hd")


class Facebook(Provider):
    """Facebook: OAuth 2.0 and the Graph API. It vouches for no e-mail."""

    def parameters(self, *, again: bool) -> dict[str, str]:
        """Ask for the password again where it matters."""
        return {"auth_type": "reauthenticate"} if again else {}

    def is_authoritative(self, domain: str, facts: dict[str, Any]) -> bool:  # noqa: ARG002
        """Facebook hands out no e-mails."""
        return False

    def facts(self, token: dict[str, Any], start: Start) -> dict[str, Any]:  # noqa: ARG002
        """Return who an access token is about, with the proof that we are the app it is for."""
        proof = hmac.new(
            self.client_secret.encode(), token["access_token"].encode(), hashlib.sha256
        ).hexdigest()
        url = f"{settings().facebook_graph_url.rstrip('/')}/me"
        asked = {"fields": "id,name,email", "appsecret_proof": proof}
        answer = self.get(url, token=token, params=asked)
        answer.raise_for_status()
        facts: dict[str, Any] = answer.json()
        return {"sub": facts["id"], "email": facts.get("email"), "name": facts.get("name")}


def init_app(app: Flask) -> None:
    """Set up the providers that the settings name."""
    config: Config = app.extensions["settings"]
    registry = OAuth(app)
    registry.framework_integration_cls = Starts
    asked = {
        "code_challenge_method": "S256",
        "default_timeout": DEADLINE,
        "max_redirects": 2,
    }
    graph = config.facebook_graph_url.rstrip("/")
    kinds: dict[str, dict[str, Any]] = {
        "google": {
            "client_cls": Google,
            "server_metadata_url": config.google_discovery_url,
            "client_kwargs": asked | {"scope": "openid email profile"},
        },
        "facebook": {
            "client_cls": Facebook,
            "authorize_url": config.facebook_authorize_url,
            "access_token_url": f"{graph}/oauth/access_token",
            "client_kwargs": asked
            | {"scope": "public_profile email", "token_endpoint_auth_method": "client_secret_post"},
        },
        "oidc": {
            "client_cls": OpenIDProvider,
            "server_metadata_url": config.oidc_issuer.rstrip("/") + DISCOVERY,
            "client_kwargs": asked | {"scope": "openid email profile"},
        },
    }
    for name in config.providers:
        registry.register(
            name,
            client_id=getattr(config, f"{name}_client_id"),
            client_secret=getattr(config, f"{name}_client_secret"),
            **kinds[name],
        ).bind(config)


def _proven_at(facts: dict[str, Any], start: Start) -> datetime | None:
    """When the person proved to be there, or None."""
    told = facts.get("auth_time")
    if told is not None and (isinstance(told, bool) or not isinstance(told, int | float)):
        raise ProviderFaultError("auth_time")
    if told is not None and not told <= time.time() + CLOCK_SKEW.total_seconds():
        raise ProviderFaultError("auth_time")  # of the future, or not a number
    intent = start.intent
    begun_in_session = intent.asked is not None or intent.began_by is not None
    requested_at = start.requested_at.replace(tzinfo=UTC).timestamp()
    proven = is_proven_by_provider(told, requested_at, begun_in_session=begun_in_session)
    return start.requested_at if proven else None


def _from_unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _reason(error: Exception) -> str:
    """What the log says of a fault: never the provider's own words."""
    claim = getattr(error, "claim", None)
    return f"{type(error).__name__} {claim}" if isinstance(claim, str) else type(error).__name__
