"""What follows once a provider has vouched for a person.

`log_in` ends in a session, in a front end's one-time code, or in a pending identity that only
`connect_pending` or `decline_pending` takes further. `fulfil` is for a person who is logged in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.accounts import login
from app.accounts.front_end import FrontEnd
from app.core.errors import AccountError, RegistrationClosedError
from app.sessions import ending
from app.sessions.opening import Grant
from app.sessions.origin import Actor, Origin
from app.social import codes, linking, sign_in
from app.social.errors import (
    ConnectNeededError,
    DeclinedError,
    DisabledError,
    ProviderBusyError,
    ProviderTimeoutError,
    StaleSignInError,
)
from app.social.identities import ExternalIdentity, SignIn
from app.social.intent import AccountRequest, LoginIntent
from app.social.pending import PendingIdentity
from app.text import _l


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session for this browser.

    Attributes:
        grant: the session and its tokens.
        path: the page to go to afterwards.
        created: the login created the account.
        password_removed: the login removed the password that the account had.

    """

    grant: Grant
    path: str
    created: bool = False
    password_removed: bool = False


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """A one-time code for a front end; `url` brings it there."""

    url: str


def log_in(
    identity: ExternalIdentity,
    proven_at: datetime | None,
    intent: LoginIntent,
    origin: Origin,
    language: str | None = None,
) -> LoggedIn | CodeIssued | PendingIdentity:
    """Log in with an external identity.

    Args:
        identity: what the provider vouches for.
        proven_at: when the person proved to be the identity's owner, UTC, or None.
        intent: what the login is for.
        origin: where the request comes from.
        language: in which the person reads pages, for an account that the login creates.

    Raises:
        DisabledError: the account is disabled.
        RegistrationClosedError: the login would create an account.
        StaleSignInError: the account has changed meanwhile.

    """
    try:
        signed_in = sign_in.sign_in(identity, origin.client, language)
    except ConnectNeededError:
        holder = sign_in.email_holder(identity)
        if holder is None:
            raise StaleSignInError("the account changed") from None
        return PendingIdentity(identity, holder.user_id, intent, proven_at)
    return _complete(signed_in, proven_at, intent, origin)


def connect_pending(
    pending: PendingIdentity, name: str, password: str, origin: Origin
) -> LoggedIn | CodeIssued:
    """Log in with a password, and connect a pending identity to the account that its page named.

    Raises:
        ConnectNeededError: the password is of another account.
        IdentityTakenError: the identity logs in to another account.
        StaleSignInError: the account has changed meanwhile.
        InvalidCredentialsError, TooManyRequestsError, BusyError: as `login.log_in`.

    """
    grant = login.log_in(name, password, origin)
    actor = Actor(grant.user_id, grant.session_id, origin.client)
    try:
        if grant.user_id != pending.user_id:
            message = _l(
                "Log in to the account that has the e-mail %(email)s.",
                email=pending.identity.email,
            )
            raise ConnectNeededError({"username": [message]})
        signed_in = linking.connect(actor, grant.epoch, pending.identity)
    except AccountError:
        ending.log_out(grant.session_id)
        raise
    client = pending.intent.client
    if client is None:
        return LoggedIn(grant, pending.intent.path)
    ending.log_out(grant.session_id)  # the front end's session begins with the code
    return _issue_code(signed_in, client)


def decline_pending(
    pending: PendingIdentity, origin: Origin, language: str | None = None
) -> LoggedIn | CodeIssued:
    """Create an account for a pending identity; the account that its page named loses the e-mail.

    Raises:
        ConnectNeededError, IdentityTakenError, RegistrationClosedError: as `sign_in.take_email`.
        StaleSignInError: the new account has changed meanwhile.

    """
    signed_in = sign_in.take_email(pending.identity, pending.user_id, language)
    return _complete(signed_in, pending.proven_at, pending.intent, origin)


def fulfil(
    asked: AccountRequest,
    identity: ExternalIdentity,
    proven_at: datetime | None,
    actor: Actor,
) -> None:
    """Do what the person of a session asked for before going to the provider.

    Args:
        asked: what the person asked for, and in which session.
        identity: what the provider vouches for.
        proven_at: when the person proved to be the identity's owner, UTC, or None.
        actor: the session of the browser that came back.

    Raises:
        StaleSignInError: the browser's session is another one, or the account has changed.
        IdentityTakenError, ReauthenticationRequiredError, TokenRevokedError: as `linking`.

    """
    if (actor.user_id, actor.session_id) != (asked.user_id, asked.session_id):
        raise StaleSignInError("another person")
    if asked.purpose == "confirm":
        linking.reauthenticate(actor, identity, proven_at)
    else:
        linking.connect(actor, asked.epoch, identity)


def error_url(client: FrontEnd, error: AccountError) -> str:
    """The address that brings a refusal to a front end (RFC 6749 §4.1.2.1)."""
    code = "server_error"
    if isinstance(error, DeclinedError | DisabledError | RegistrationClosedError):
        code = "access_denied"
    elif isinstance(error, ProviderTimeoutError | ProviderBusyError):
        code = "temporarily_unavailable"
    return client.answer_url(error=code)


def _complete(
    signed_in: SignIn, proven_at: datetime | None, intent: LoginIntent, origin: Origin
) -> LoggedIn | CodeIssued:
    """Open the session of a login, or issue the code for the front end that asked."""
    if intent.client is not None:
        return _issue_code(signed_in, intent.client)
    # A login to another account proves nothing about the person who began it.
    own = intent.began_by in {None, signed_in.user_id}
    grant = sign_in.open_session(signed_in, origin, proven_at if own else None)
    return LoggedIn(grant, intent.path, signed_in.created, signed_in.password_removed)


def _issue_code(signed_in: SignIn, client: FrontEnd) -> CodeIssued:
    return CodeIssued(client.answer_url(code=codes.issue_code(signed_in, client.challenge)))
