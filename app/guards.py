"""Who may pass: a program by its bearer token, a person by the browser's cookie.

Every view says which of these it asks for. One that says nothing stops the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, g, redirect, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.wrappers import Request
from flask.wrappers import Response as FlaskResponse
from werkzeug.exceptions import Forbidden

from app import known_browser
from app.accounts import sessions, tokens
from app.accounts.confirmation import Asking
from app.accounts.errors import TokenInvalidError, TokenMissingError, TokenRevokedError
from app.accounts.revocation import revocations
from app.accounts.sessions import Grant
from app.accounts.tokens import AccessToken
from app.config import settings
from app.extensions import csrf
from app.negotiation import has_session, is_browser, origin

View = TypeVar("View", bound=Callable[..., Any])
_SAFE = {"GET", "HEAD", "OPTIONS"}
_FOREIGN = {"cross-site", "same-site"}


@dataclass(frozen=True, slots=True)
class Person:
    """The person signed in at this browser; `until` is Unix time."""

    id: int
    username: str
    session_id: int
    until: int


def public(view: View) -> View:
    """Mark a view that anybody may ask."""
    view.access = "public"  # type: ignore[attr-defined]
    return view


def bearer_only(view: View) -> View:
    """Let only a program with a good access token pass; the view gets it as first argument."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(bearer(), *args, **kwargs)

    guarded.access = "bearer"  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def person_only(view: View) -> View:
    """Let only a signed-in person pass; the view gets the Person as first argument."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        who = person()
        if who is None and is_browser() and request.method == "GET":
            return redirect(f"/login?next={request.path}", 303)
        if who is None:
            raise TokenMissingError
        return view(who, *args, **kwargs)

    guarded.access = "person"  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def bearer() -> AccessToken:
    """The good access token of the Authorization header, and of nowhere else.

    Raises:
        TokenMissingError: there is no bearer token.
        TokenInvalidError, TokenExpiredError, TokenRevokedError: it does not count.
        UnsureError: nobody can tell just now.

    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissingError
    # Two Authorization headers arrive joined by a comma, which stands in no token.
    if "," in token:
        raise TokenInvalidError
    return sessions.check(token.strip(" "))


def person() -> Person | None:
    """The person whose cookie came with a browser's request, or None."""
    if "person" not in g:
        g.person = _person() if is_browser() else None
    who: Person | None = g.person
    return who


def asking(who: Person | AccessToken) -> Asking:
    """Who asks for a change of the account: the person of the request's session."""
    user_id = who.id if isinstance(who, Person) else who.user_id
    return Asking(user_id, who.session_id, origin().address)


def access_token(who: Person) -> str:
    """A token for the person's own use, good for as long as the cookie was just renewed."""
    return tokens.sign_access(
        who.id, who.session_id, datetime.fromtimestamp(who.until, UTC).replace(tzinfo=None)
    )


def sign_in(grant: Grant) -> Person:
    """Make the browser's session that of this login, and end the login that it had before."""
    before = session.get("person")
    if before is not None and Person(*before).session_id != grant.session_id:
        sessions.log_out(Person(*before).session_id)
    session.clear()
    session.permanent = True
    who = Person(
        grant.user_id,
        grant.username,
        grant.session_id,
        int(grant.access_expires_at.replace(tzinfo=UTC).timestamp()),
    )
    session["person"] = astuple(who)
    g.person = who
    known_browser.remember(who.id)
    return who


def renamed(username: str) -> None:
    """Know the signed-in person by another name from now on."""
    who: Person = replace(g.person, username=username)
    session["person"] = astuple(who)
    g.person = who


def sign_out() -> None:
    """Forget the person at this browser."""
    session.clear()
    g.person = None


def init_app(app: Flask) -> None:
    """Bind cookies to browsers, forms to their sessions, and demand that every view is marked."""
    config = app.extensions["settings"]
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session" if config.https else "session",
        SESSION_COOKIE_SECURE=config.https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=config.refresh_token_ttl),
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    app.session_interface = BrowserSessions()
    app.before_request(_refuse_forged_forms)
    closed = config.registration == "closed"
    app.context_processor(lambda: {"person": person(), "registration_closed": closed})


def demand_marks(app: Flask) -> None:
    """Refuse to start with a view that does not say whom it lets pass."""
    for name, view in app.view_functions.items():
        if name != "static" and not hasattr(view, "access"):
            raise RuntimeError(f"the view {name} does not say whom it lets pass")


class BrowserSessions(SecureCookieSessionInterface):
    """Flask's signed cookie, for browsers alone: a program's cookie is neither read nor set."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie of a browser; a program has no session that could be written to."""
        return super().open_session(app, request) if has_session() else None

    def save_session(self, app: Flask, session: SessionMixin, response: FlaskResponse) -> None:
        """Set the cookie of a browser."""
        if has_session():
            super().save_session(app, session, response)


def _refuse_forged_forms() -> None:
    if request.routing_exception is not None:
        return  # there is nothing to forge at this address: it is answered with 404 or 405
    if request.method in _SAFE:
        return
    # Another site's page must not use up what its visitor's address may try.
    if request.headers.get("Sec-Fetch-Site") in _FOREIGN and not _is_client():
        raise Forbidden
    if is_browser():
        request.get_data()  # kept, since looking for the token below would use the body up
        csrf.protect()


def _is_client() -> bool:
    """Whether the page that asks is a front end's that the settings name, and asks the API."""
    urls = map(urlsplit, settings().client_redirect_urls)
    origins = {f"{url.scheme}://{url.netloc}" for url in urls}
    return request.path.startswith("/api/") and request.headers.get("Origin") in origins


def _person() -> Person | None:
    stored = session.get("person")
    if stored is None:
        return None
    who = Person(*stored)
    try:
        if who.until - time.time() < settings().access_token_ttl / 2:
            return _renew(who)
        revocations().check(who.session_id)
    except TokenRevokedError:
        sign_out()
        return None
    return who


def _renew(who: Person) -> Person:
    kept = dict(session)  # the form that is open in another tab, a sign-in that began: all go on
    renewed = sign_in(sessions.renew(who.session_id, origin()))
    session.update(kept | {"person": session["person"]})
    return renewed
