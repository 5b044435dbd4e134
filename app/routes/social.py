"""Signing in with Google, Facebook or another provider: there, back, and what comes after."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, redirect, request, session
from werkzeug.exceptions import BadRequest, NotAcceptable
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import limits, sessions, social, users
from app.accounts.errors import (
    AccountError,
    ConnectNeededError,
    DeclinedError,
    DisabledError,
    IdentityTakenError,
    LastWayInError,
    ProviderBusyError,
    ProviderError,
    ProviderTimeoutError,
    StaleSignInError,
)
from app.accounts.social import Outsider
from app.config import settings
from app.errors import refused, status_of
from app.forms import FirstVisitForm, LoginForm, UsernameForm, read
from app.guards import Person, person, person_only, public, renamed, sign_in
from app.negotiation import is_browser, local_path, origin, page
from app.providers import Client, Onward, provider

blueprint = Blueprint("social", __name__)

# How long a person may take to find the password of the account that is to be connected.
_PENDING_SECONDS = 600
# What the cookie has room for.
_MAX_PATH = 300
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE = re.compile(r"[\x20-\x7e]{0,200}")

_log = logging.getLogger("loguserapp.audit")


@blueprint.get("/login/<name>")
@public
def begin(name: str) -> AnyResponse:
    """Send a browser to the provider."""
    _refuse_programs()
    return redirect(provider(name).begin(_asked_for()), 303)


@blueprint.get("/login/<name>/callback")
@public
def come_back(name: str) -> AnyResponse:
    """Take a browser back from the provider, with a person or with a refusal."""
    _refuse_programs()
    there = provider(name)
    start = there.come_back()
    client = start.onward.client
    try:
        outsider = there.identify(start)
        if start.onward.link is not None:
            return _connected(outsider, start.onward)
        return _entered(outsider, start.onward)
    except AccountError as error:
        if client is None:
            raise
        _note(error)
        return redirect(_address(client, error=_oauth_error(error)), 303)


@blueprint.get("/login/connect")
@public
def ask_to_connect() -> Response:
    """Ask for the password of the account that has the identity's e-mail."""
    _refuse_programs()
    outsider, _ = _pending()
    return page("social_connect.html", form=LoginForm(formdata=None), **_whom(outsider))


@blueprint.post("/login/connect")
@public
def log_in_and_connect() -> AnyResponse:
    """Log in with the password and connect the identity to the account."""
    _refuse_programs()
    outsider, onward = _pending()
    form = read(LoginForm)
    try:
        fields = form.values()
        limits.count_token_call(origin().address)
        grant = sessions.log_in(fields["username"], fields["password"], origin())
    except AccountError as error:
        return refused(error, "social_connect.html", form, **_whom(outsider))
    try:
        social.connect(grant.user_id, outsider)
    except AccountError:
        sessions.log_out(grant.session_id)
        raise
    if onward.client is not None:
        sessions.log_out(grant.session_id)  # its session begins when it brings the code
        session.pop("pending")
        code = social.issue_code(grant.user_id, onward.client.challenge)
        return page("social_onward.html", address=_address(onward.client, code=code))
    sign_in(grant)
    flash(f"{_label(outsider.provider)} is connected: it signs you in from now on.", "success")
    return redirect(onward.path, 303)


@blueprint.get("/welcome")
@person_only
def welcome(who: Person) -> AnyResponse:
    """After a first visit: offer another username, and ask for the e-mail that is missing."""
    if not session.get("first_visit"):
        return redirect("/account", 303)
    profile = users.profile(who.id)
    form_class = UsernameForm if profile.email else FirstVisitForm
    form = form_class(formdata=None, data={"username": profile.username})
    return page("welcome.html", form=form, next=_path(request.args.get("next")))


@blueprint.post("/welcome")
@person_only
def settle(who: Person) -> AnyResponse:
    """Take the username, and the e-mail where there was none."""
    if not session.get("first_visit"):
        return redirect("/account", 303)
    form = read(UsernameForm if users.profile(who.id).email else FirstVisitForm)
    onward = _path(request.form.get("next"))
    try:
        profile = social.settle(who.id, **form.values())
    except AccountError as error:
        return refused(error, "welcome.html", form, next=onward)
    session.pop("first_visit")
    renamed(profile.username)
    return redirect(onward, 303)


@blueprint.post("/account/connect/<name>")
@person_only
def link(who: Person, name: str) -> Response:
    """Send a signed-in person to the provider, to connect what comes back to the account.

    With a page in between: Chromium would refuse a redirect to another host in answer to a form,
    by `form-action 'self'`.
    """
    address = provider(name).begin(Onward("/account", link=who.id))
    return page("social_onward.html", address=address)


@blueprint.post("/account/identities/<int(max=2147483647):identity_id>/disconnect")
@person_only
def unlink(who: Person, identity_id: int) -> AnyResponse:
    """Disconnect one of the own identities."""
    social.disconnect(who.id, identity_id)
    flash("It is disconnected: it signs you in no more.", "success")
    return redirect("/account", 303)


@blueprint.errorhandler(ProviderError)
@blueprint.errorhandler(DisabledError)
@blueprint.errorhandler(IdentityTakenError)
@blueprint.errorhandler(LastWayInError)
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


def _entered(outsider: Outsider, onward: Onward) -> AnyResponse:
    """Let a person in whose identity opens an account, or lead to where it can be connected."""
    try:
        visit = social.visit(outsider)
    except ConnectNeededError:
        session["pending"] = {
            "outsider": asdict(outsider) | {"name": None},
            "onward": onward.to_cookie(),
            "until": time.time() + _PENDING_SECONDS,
        }
        return redirect("/login/connect", 303)
    if onward.client is not None:
        code = social.issue_code(visit.user_id, onward.client.challenge)
        return redirect(_address(onward.client, code=code), 303)
    before = person()
    sign_in(sessions.open_for(visit.user_id, origin()))
    if before is not None:  # nobody has that session's cookie any more
        sessions.log_out(before.session_id)
    if visit.made:
        session["first_visit"] = True
        return redirect(f"/welcome?{urlencode({'next': onward.path})}", 303)
    if visit.password_removed:
        flash(
            f"{_label(outsider.provider)} signs you in from now on. The password that was set "
            "before your e-mail was proven works no more, and its sessions are over.",
            "success",
        )
    return redirect(onward.path, 303)


def _connected(outsider: Outsider, onward: Onward) -> AnyResponse:
    """Connect an identity to the account of the person who asked for it at this browser."""
    who = person()
    if who is None or who.id != onward.link:
        raise StaleSignInError("another person")
    social.connect(who.id, outsider)
    flash(f"{_label(outsider.provider)} is connected: it signs you in from now on.", "success")
    return redirect("/account", 303)


def _asked_for() -> Onward:
    """What a browser wants to sign in for: a page here, or a front end that is known here."""
    arguments = request.args
    if "redirect_uri" not in arguments:
        return Onward(_path(arguments.get("next")))
    if arguments["redirect_uri"] not in settings().client_redirect_urls:
        raise BadRequest("redirect_uri is not among the CLIENT_REDIRECT_URLS of this service.")
    challenge = arguments.get("code_challenge", "")
    if arguments.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise BadRequest("Send code_challenge_method=S256 and a code_challenge of 43 characters.")
    state = arguments.get("state", "")
    if not _STATE.fullmatch(state):
        raise BadRequest("state may have up to 200 printable ASCII characters.")
    return Onward(client=Client(arguments["redirect_uri"], challenge, state))


def _pending() -> tuple[Outsider, Onward]:
    """The identity that waits for its account's password at this browser, and what it is for."""
    pending = session.get("pending")
    if pending is None or pending["until"] < time.time():
        raise StaleSignInError("pending")
    return Outsider(**pending["outsider"]), Onward.from_cookie(pending["onward"])


def _whom(outsider: Outsider) -> dict[str, Any]:
    others = dict(settings().providers)
    others.pop(outsider.provider, None)
    return {"label": _label(outsider.provider), "email": outsider.email, "providers": others}


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
    if isinstance(error, DeclinedError | DisabledError):
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
