"""Logging in with Google, Facebook or another provider: there, back, and what comes after."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, redirect, request, session
from werkzeug.exceptions import BadRequest, NotAcceptable
from werkzeug.wrappers import Response as AnyResponse

from app import account_page
from app.accounts import limits, sessions, social, users
from app.accounts.confirmation import Asking, confirm
from app.accounts.errors import (
    AccountError,
    ConnectNeededError,
    DeclinedError,
    DisabledError,
    IdentityTakenError,
    NotFoundError,
    ProviderBusyError,
    ProviderError,
    ProviderTimeoutError,
    ReauthenticationRequiredError,
    RegistrationClosedError,
    StaleSignInError,
)
from app.accounts.sessions import Grant
from app.accounts.social import ExternalIdentity, Visit
from app.config import settings
from app.errors import refused, status_of
from app.forms import FirstVisitForm, LoginForm, RecentProofForm, UsernameForm, read
from app.guards import Person, asking, person, person_only, public, renamed, sign_in
from app.negotiation import is_browser, local_path, origin, page
from app.providers import Asked, Client, LoginIntent, provider

blueprint = Blueprint("social", __name__)

# How long a person may take to find the password of the account that is to be connected.
_PENDING_SECONDS = 600
# What the cookie has room for.
_MAX_PATH = 300
_MAX_NAME = 80
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE = re.compile(r"[\x20-\x7e]{0,200}")

_log = logging.getLogger("loguserapp.audit")


@blueprint.get("/login/<name>")
@public
def begin(name: str) -> AnyResponse:
    """Send a browser to the provider."""
    _refuse_programs()
    intent, there = _intent(), provider(name)
    # Another site's link must not replace the person who is logged in here (login CSRF).
    if intent.client is None and request.headers.get("Sec-Fetch-Site") == "cross-site":
        address = f"/login/{name}?{urlencode({'next': intent.path})}"
        return page("social_begin.html", label=there.label, address=address)
    return redirect(there.begin(intent), 303)


@blueprint.get("/login/<name>/callback")
@public
def callback(name: str) -> AnyResponse:
    """Take a browser back from the provider, with a person or with a refusal."""
    _refuse_programs()
    there = provider(name)
    start = there.come_back()
    intent = start.intent
    try:
        identity, proven_at = there.identify(start)
        if intent.asked is not None:
            return _answered(identity, proven_at, intent.asked)
        return _entered(identity, proven_at, intent)
    except AccountError as error:
        if intent.client is None:
            raise
        _note(error)
        return redirect(_address(intent.client, error=_oauth_error(error)), 303)


@blueprint.get("/login/connect")
@public
def ask_to_connect() -> Response:
    """Ask for the password of the account that has the identity's e-mail."""
    _refuse_programs()
    pending = _pending()
    form = LoginForm(formdata=None, data={"username": pending.identity.email})
    return page("social_connect.html", form=form, **_named(pending))


@blueprint.post("/login/connect")
@public
def log_in_and_connect() -> AnyResponse:
    """Log in with the password and connect the identity to the account that the page named."""
    _refuse_programs()
    pending = _pending()
    form = read(LoginForm)
    try:
        fields = form.values()
        grant = sessions.log_in(fields["username"], fields["password"], origin())
        visit = _connected(pending, grant)
    except AccountError as error:
        return refused(error, "social_connect.html", form, **_named(pending))
    client = pending.intent.client
    if client is not None:
        sessions.log_out(grant.session_id)  # its session begins when it brings the code
        session.pop("pending")
        code = social.issue_code(visit, client.challenge)
        return page("social_redirect.html", address=_address(client, code=code))
    sign_in(grant)
    flash(f"{_label(pending.identity.provider)} is connected: you can log in with it.", "success")
    return redirect(pending.intent.path, 303)


@blueprint.post("/login/connect/decline")
@public
def decline_to_connect() -> AnyResponse:
    """Go on with an own account: the one that has the e-mail never proved it."""
    _refuse_programs()
    pending = _pending()
    visit = social.take_email(pending.identity, pending.user_id)
    session.pop("pending")
    return _logged_in(visit, pending.proven_at, pending.intent)


@blueprint.get("/welcome")
@person_only
def welcome(who: Person) -> AnyResponse:
    """After a first visit: offer another username, and ask for the e-mail that is missing."""
    if not social.is_first_visit(who.id):
        return redirect("/account", 303)
    profile = users.profile(who.id)
    form_class = UsernameForm if profile.email else FirstVisitForm
    form = form_class(formdata=None, data={"username": profile.username})
    return page("welcome.html", form=form, next=_path(request.args.get("next")))


@blueprint.post("/welcome")
@person_only
def complete_first_visit(who: Person) -> AnyResponse:
    """Take the username, and the e-mail where there was none."""
    if not social.is_first_visit(who.id):
        return redirect("/account", 303)
    form = read(UsernameForm if users.profile(who.id).email else FirstVisitForm)
    path = _path(request.form.get("next"))
    try:
        fields = form.values()
        limits.count_registration(origin().address)
        profile = social.complete_first_visit(asking(who), **fields)
    except AccountError as error:
        return refused(error, "welcome.html", form, next=path)
    renamed(profile.username)
    return redirect(path, 303)


@blueprint.post("/account/connect/<name>")
@person_only
def connect(who: Person, name: str) -> AnyResponse:
    """Send a logged-in person to the provider, to connect what comes back to the account."""
    there = provider(name)
    form = read(RecentProofForm)
    try:
        confirmed = confirm(asking(who), form.password(), recent_suffices=True)
    except AccountError as error:
        return account_page.show_refused(who, error, "proof_form", form)
    asked = Asked("connect", who.id, who.session_id, confirmed.epoch)
    return _go_to(there.begin(LoginIntent("/account", asked)))


@blueprint.post("/account/confirm/<name>")
@person_only
def confirm_by_provider(who: Person, name: str) -> Response:
    """Send a logged-in person to the provider, to prove there to be the account's owner."""
    asked = Asked("confirm", who.id, who.session_id, 0)
    return _go_to(provider(name).begin(LoginIntent("/account", asked)))


@blueprint.post("/account/identities/<int(max=2147483647):identity_id>/disconnect")
@person_only
def disconnect(who: Person, identity_id: int) -> AnyResponse:
    """Disconnect one of the own identities, which ends the sessions that it opened."""
    form = read(RecentProofForm)
    try:
        name = social.disconnect(asking(who), identity_id, form.password())
    except NotFoundError:
        raise
    except AccountError as error:
        return account_page.show_refused(who, error, "proof_form", form)
    flash(f"{_label(name)} is disconnected. You can no longer log in with it.", "success")
    return redirect("/account", 303)


@blueprint.errorhandler(ProviderError)
@blueprint.errorhandler(DisabledError)
@blueprint.errorhandler(IdentityTakenError)
@blueprint.errorhandler(ConnectNeededError)
@blueprint.errorhandler(ReauthenticationRequiredError)
def turned_away(error: AccountError) -> Response:
    """Say to a person why an outside identity did not help, and what else does."""
    _note(error)
    name = (request.view_args or {}).get("name", "")
    response = page(
        "social_refused.html",
        status_of(error),
        error=error,
        label=_label(name),
        again=f"/login/{name}" if name in settings().providers and person() is None else None,
    )
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


@dataclass(frozen=True, slots=True)
class Pending:
    """An identity that waits at this browser for the owner of its e-mail's account to agree.

    Attributes:
        identity: what the provider vouched for.
        user_id: the account that the page named.
        intent: what the login is for.
        proven_at: when the person proved to be there, UTC, or None.

    """

    identity: ExternalIdentity
    user_id: int
    intent: LoginIntent
    proven_at: datetime | None


def _entered(
    identity: ExternalIdentity, proven_at: datetime | None, intent: LoginIntent
) -> AnyResponse:
    """Let a person in whose identity opens an account, or lead to where it can be connected."""
    try:
        visit = social.visit(identity)
    except ConnectNeededError:
        named = social.named_account(identity)
        if named is None:
            raise StaleSignInError("the account changed") from None
        name = identity.name[:_MAX_NAME] if identity.name else None
        session["pending"] = {
            "identity": asdict(replace(identity, name=name)),
            "user_id": named.user_id,
            "intent": intent.to_cookie(),
            "proven_at": proven_at and proven_at.isoformat(),
            "until": time.time() + _PENDING_SECONDS,
        }
        return redirect("/login/connect", 303)
    return _logged_in(visit, proven_at, intent)


def _logged_in(visit: Visit, proven_at: datetime | None, intent: LoginIntent) -> AnyResponse:
    """Open the session of a visit, or hand its code to the front end that asked."""
    if intent.client is not None:
        code = social.issue_code(visit, intent.client.challenge)
        address = _address(intent.client, code=code)
        return redirect(address, 303) if request.method == "GET" else _go_to(address)
    # Another account's login proves nothing of the person who began it.
    own = intent.began_by in {None, visit.user_id}
    sign_in(social.open_session(visit, origin(), proven_at if own else None))
    if visit.created:
        return redirect(f"/welcome?{urlencode({'next': intent.path})}", 303)
    if visit.password_removed:
        flash(
            "You are logged in. The password that was set before your e-mail was proven no longer "
            "works, and its sessions have ended.",
            "success",
        )
    return redirect(intent.path, 303)


def _answered(identity: ExternalIdentity, proven_at: datetime | None, asked: Asked) -> AnyResponse:
    """Do what the person of a session asked for before going to the provider."""
    who = person()
    if who is None or (who.id, who.session_id) != (asked.user_id, asked.session_id):
        raise StaleSignInError("another person")
    label = _label(identity.provider)
    if asked.purpose == "confirm":
        social.reauthenticate(asking(who), identity, proven_at)
        flash(f"{label} confirmed that it is you. Go on within 10 minutes.", "success")
    else:
        social.connect(asking(who), asked.epoch, identity)
        whom = " ".join(filter(None, (identity.name, identity.email and f"({identity.email})")))
        flash(f"{label} is connected: {whom or 'it'} can log in to {who.username}.", "success")
    return redirect("/account", 303)


def _connected(pending: Pending, grant: Grant) -> Visit:
    """Connect a pending identity to the account that has just logged in."""
    here = Asking(grant.user_id, grant.session_id, origin().address)
    try:
        if grant.user_id != pending.user_id:
            message = f"Log in to the account that has the e-mail {pending.identity.email}."
            raise ConnectNeededError({"username": [message]})
        return social.connect(here, grant.epoch, pending.identity)
    except AccountError:
        sessions.log_out(grant.session_id)
        raise


def _intent() -> LoginIntent:
    """What a browser wants to log in for: a page here, or a front end that is known here."""
    arguments = request.args
    if "redirect_uri" not in arguments:
        who = person()
        return LoginIntent(_path(arguments.get("next")), began_by=who.id if who else None)
    if arguments["redirect_uri"] not in settings().client_redirect_urls:
        raise BadRequest("redirect_uri is not among the CLIENT_REDIRECT_URLS of this service.")
    challenge = arguments.get("code_challenge", "")
    if arguments.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise BadRequest("Send code_challenge_method=S256 and a code_challenge of 43 characters.")
    state = arguments.get("state", "")
    if not _STATE.fullmatch(state):
        raise BadRequest("state may have up to 200 printable ASCII characters.")
    return LoginIntent(client=Client(arguments["redirect_uri"], challenge, state))


def _pending() -> Pending:
    stored = session.get("pending")
    if stored is None or stored["until"] < time.time():
        raise StaleSignInError("pending")
    try:
        proven_at = stored["proven_at"]
        return Pending(
            ExternalIdentity(**stored["identity"]),
            stored["user_id"],
            LoginIntent.from_cookie(stored["intent"]),
            datetime.fromisoformat(proven_at) if proven_at else None,
        )
    except (KeyError, TypeError):  # a cookie from before an upgrade
        raise StaleSignInError("pending") from None


def _named(pending: Pending) -> dict[str, Any]:
    """What the page says of the identity and of the account that it would log in to."""
    named = social.named_account(pending.identity)
    return {
        "label": _label(pending.identity.provider),
        "name": pending.identity.name,
        "email": pending.identity.email,
        "can_decline": named is not None and named.can_decline,
    }


def _go_to(address: str) -> Response:
    """Lead a browser to another host by a page.

    Chromium would refuse a redirect there in answer to a form, by `form-action 'self'`.
    """
    return page("social_redirect.html", address=address)


def _label(name: str) -> str:
    return settings().providers.get(name, "The provider")


def _path(text: str | None) -> str:
    path = local_path(text)
    return path if len(path) <= _MAX_PATH else "/"


def _address(client: Client, **answer: str) -> str:
    """The address that brings a front end its answer."""
    separator = "&" if "?" in client.redirect_url else "?"
    return f"{client.redirect_url}{separator}{urlencode(answer | {'state': client.state})}"


def _oauth_error(error: AccountError) -> str:
    """What a front end is told (RFC 6749 §4.1.2.1)."""
    if isinstance(error, DeclinedError | DisabledError | RegistrationClosedError):
        return "access_denied"
    if isinstance(error, ProviderTimeoutError | ProviderBusyError):
        return "temporarily_unavailable"
    return "server_error"


def _note(error: AccountError) -> None:
    """Keep in the log that a sign-in came to nothing; what the rules refuse they log themselves."""
    if isinstance(error, ProviderError):
        facts = {"provider": (request.view_args or {}).get("name"), "error": error.reason}
        _log.warning("social_login", extra=facts | {"outcome": error.code})


def _refuse_programs() -> None:
    """Turn away what keeps no cookie and shows no page."""
    if not is_browser():
        raise NotAcceptable
