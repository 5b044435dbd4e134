"""Who asks: a program by its bearer token, a person by the browser's cookie."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from flask import Flask, flash, g, redirect, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.wrappers import Request
from flask.wrappers import Response as FlaskResponse
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from app.config import settings
from app.core.errors import (
    FormOutdatedError,
    RegistrationClosedError,
    TokenInvalidError,
    TokenMissingError,
    TokenRevokedError,
)
from app.extensions import csrf
from app.sessions import checking, ending, opening, tokens
from app.sessions.opening import Grant
from app.sessions.origin import Actor
from app.sessions.revocation import revocation_list
from app.sessions.tokens import AccessToken
from app.web.browser import cookies, known_browser
from app.web.errors import shown_again
from app.web.negotiation import has_session, is_browser, origin

_SAFE = {"GET", "HEAD", "OPTIONS"}
_FOREIGN = {"cross-site", "same-site"}


@dataclass(frozen=True, slots=True)
class Person:
    """The person logged in at this browser; `until` is Unix time."""

    id: int
    username: str
    session_id: int
    until: int


def bearer_token() -> AccessToken:
    """The verified access token of the Authorization header (RFC 6750 §2.1).

    Raises:
        TokenMissingError: the header has no bearer token.
        TokenInvalidError, TokenExpiredError, TokenRevokedError: the token is refused.
        RevocationUnknownError: the list of revoked sessions is too old.

    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissingError
    # Two Authorization headers arrive joined by a comma, which stands in no token.
    if "," in token:
        raise TokenInvalidError
    return checking.check_access_token(token.strip(" "))


def current_person() -> Person | None:
    """The person whose cookie came with a browser's request, or None."""
    if "person" not in g:
        g.person = _person() if is_browser() else None
    who: Person | None = g.person
    return who


def actor(who: Person | AccessToken) -> Actor:
    """Who asks for a change of the account: the person of the request's session."""
    user_id = who.id if isinstance(who, Person) else who.user_id
    return Actor(user_id, who.session_id, origin().client)


def access_token(who: Person) -> str:
    """An access token for the person's own use, which expires at `who.until`."""
    return tokens.sign_access(
        who.id, who.session_id, datetime.fromtimestamp(who.until, UTC).replace(tzinfo=None)
    )


def log_in_browser(grant: Grant, *, keep: bool = False) -> Person:
    """Make the browser's session that of this login, and end the login that it had before.

    Only the login form asks whether to keep it. After registering and after a login at a provider
    it is not kept, as nobody said that the browser is the person's own.

    Args:
        grant: the login, which was opened with the same `keep`.
        keep: the cookie outlives the browser's windows. Without it the cookie goes with them, and
            the login ends after 12 hours at the latest.

    """
    before = session.get("person")
    if before is not None and Person(*before).session_id != grant.session_id:
        ending.log_out(Person(*before).session_id)
    session.clear()
    session.permanent = keep
    who = Person(
        grant.user_id,
        grant.username,
        grant.session_id,
        int(grant.access_expires_at.replace(tzinfo=UTC).timestamp()),
    )
    session["person"] = astuple(who)
    session["language"] = grant.language
    g.person = who
    known_browser.remember(who.id)
    return who


def update_username(username: str) -> None:
    """Change the username in the browser's session."""
    who: Person = replace(g.person, username=username)
    session["person"] = astuple(who)
    g.person = who


def log_out_browser() -> None:
    """Clear the browser's session."""
    session.clear()
    g.person = None


def forget_ended_login() -> None:
    """Clear the browser's session, whose login was ended elsewhere."""
    log_out_browser()
    g.login_ended = True


def ask_to_log_in() -> AnyResponse:
    """Lead a browser to the login and from there back to this address.

    A person whose login has ended is told so, and so is a person who sent a form: its page was
    shown to a person who was logged in.
    """
    if "login_ended" in g or request.method == "POST":
        flash(_("Your login here has ended. Log in again to go on."), "error")
    return redirect(f"/login?next={quote(request.path)}", 303)


def init_app(app: Flask) -> None:
    """Configure the browser's session and its CSRF protection."""
    config = settings.of(app)
    app.config.update(
        SESSION_COOKIE_NAME=cookies.full_name("session", https=config.https),
        SESSION_COOKIE_SECURE=config.https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=config.refresh_token_ttl),
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    app.session_interface = BrowserSessionInterface()
    app.before_request(_refuse_forged_forms)
    closed = RegistrationClosedError.detail if config.registration == "closed" else ""
    app.context_processor(lambda: {"person": current_person(), "registration_closed": closed})


class BrowserSessionInterface(SecureCookieSessionInterface):
    """Flask's signed cookie, for browsers alone: a program's cookie is neither read nor set."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie of a browser; a program has no session that could be written to."""
        return super().open_session(app, request) if has_session() else None

    def save_session(self, app: Flask, session: SessionMixin, response: FlaskResponse) -> None:
        """Set the cookie of a browser."""
        if has_session():
            super().save_session(app, session, response)


def _refuse_forged_forms() -> AnyResponse | None:
    if request.routing_exception is not None:
        return None  # there is nothing to forge at this address: it is answered with 404 or 405
    if request.method in _SAFE:
        return None
    # Another site's page must not use up what its visitor's address may try.
    if request.headers.get("Sec-Fetch-Site") in _FOREIGN and not _is_client():
        raise Forbidden
    if not is_browser():
        return None
    request.get_data()  # kept, since looking for the token below would use the body up
    try:
        csrf.protect()
    except CSRFError:
        # The form's own view does not run.
        error = FormOutdatedError()
        return shown_again.instead_of_form(error, logged_in=current_person() is not None)
    return None


def _is_client() -> bool:
    """Whether the page that asks is a front end's that the settings name, and asks the API."""
    asks_api = request.path.startswith("/api/")
    return asks_api and request.headers.get("Origin") in settings().script_origins


def _person() -> Person | None:
    stored = session.get("person")
    if stored is None:
        return None
    who = Person(*stored)
    try:
        if who.until - time.time() < settings().access_token_ttl / 2:
            return _renew(who)
        revocation_list().check(who.session_id)
    except TokenRevokedError:
        forget_ended_login()
        return None
    return who


def _renew(who: Person) -> Person:
    before = dict(session)  # the form that is open in another tab, a sign-in that began: all go on
    keep = session.permanent
    renewed = log_in_browser(opening.renew(who.session_id, origin(), kept=keep), keep=keep)
    session.update(before | {name: session[name] for name in ("person", "language")})
    return renewed
