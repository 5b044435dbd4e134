"""Logging in at a provider: there, back, and the question about the e-mail's account."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, flash, redirect, request, session
from flask_babel import gettext as _
from werkzeug.exceptions import NotAcceptable
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.front_end import asking
from app.core.errors import AccountError, EmailUnverifiedError
from app.limits import declared as limits
from app.social import flow, pending, sign_in
from app.social.errors import StaleSignInError
from app.social.flow import CodeIssued, LoggedIn
from app.social.forms import ConnectForm
from app.social.identities import ExternalIdentity
from app.social.intent import AccountRequest, LoginIntent
from app.social.pending import PendingIdentity
from app.social.providers import provider
from app.social.routes import blueprint, log_refusal, next_path, provider_label, redirect_by_page
from app.web.access import actor, current_person, log_in_browser
from app.web.browser import last_used
from app.web.browser.unverified import ask_for_proof
from app.web.errors.problems import render_refusal
from app.web.forms import parse_form
from app.web.i18n import asked_for
from app.web.marks import public
from app.web.negotiation import is_browser, origin, render_page


@blueprint.get("/login/<name>")
@public
def begin(name: str) -> AnyResponse:
    """Send a browser to the provider."""
    _refuse_programs()
    intent, there = _intent(), provider(name)
    # Another site's link must not replace the person who is logged in here (login CSRF).
    if intent.client is None and request.headers.get("Sec-Fetch-Site") == "cross-site":
        address = f"/login/{name}?{urlencode({'next': intent.path})}"
        return render_page("social/begin.html", label=there.label, address=address)
    return redirect(there.begin(intent), 303)


@blueprint.get("/login/<name>/callback")
@public(unlimited="the state of the browser's cookie counts once")
def callback(name: str) -> AnyResponse:
    """Take a browser back from the provider, with a person or with a refusal."""
    _refuse_programs()
    there = provider(name)
    start = there.resume(session, request.args)
    intent = start.intent
    try:
        identity, proven_at = there.identify(start, request.args)
        if intent.asked is not None:
            return _fulfil(intent.asked, intent.path, identity, proven_at)
        return _go_on(flow.log_in(identity, proven_at, intent, origin(), asked_for()), name)
    except AccountError as error:
        if intent.client is None:
            raise
        log_refusal(error)
        return redirect(flow.error_url(intent.client, error), 303)


@blueprint.get("/login/connect")
@public
def ask_to_connect() -> Response:
    """Ask for the password of the account that has the identity's e-mail."""
    _refuse_programs()
    waiting = pending.load(session)
    form = ConnectForm(formdata=None, data={"username": waiting.identity.email})
    return render_page("social/connect.html", form=form, **_context(waiting))


@blueprint.post("/login/connect")
@public(limit=limits.LOGIN)
def log_in_and_connect() -> AnyResponse:
    """Log in with the password and connect the identity to the account that the page named."""
    _refuse_programs()
    waiting = pending.load(session)
    form = parse_form(ConnectForm)
    try:
        fields = form.values()
        done = flow.connect_pending(waiting, fields["username"], fields["password"], origin())
    except EmailUnverifiedError as error:
        return ask_for_proof(error, "/login/connect")
    except AccountError as error:
        return render_refusal(error, "social/connect.html", form, **_context(waiting))
    pending.forget(session)
    response = _go_on(done, waiting.identity.provider)
    if isinstance(done, LoggedIn):
        told = _(
            "You are logged in as %(username)s. %(label)s is connected: you can log in with "
            "%(label)s from now on.",
            username=done.grant.username,
            label=provider_label(waiting.identity.provider),
        )
        flash(told, "success")
    return response


@blueprint.get("/login/connect/decline")
@public
def back_to_connect() -> AnyResponse:
    """Lead a person who reopens the address of the button to its page."""
    _refuse_programs()
    return redirect("/login/connect", 303)


@blueprint.post("/login/connect/decline")
@public(unlimited="the provider vouched for the person")
def decline_to_connect() -> AnyResponse:
    """Go on with an own account: the one that has the e-mail never proved it."""
    _refuse_programs()
    waiting = pending.load(session)
    done = flow.decline_pending(waiting, origin(), asked_for())
    pending.forget(session)
    return _go_on(done, waiting.identity.provider)


def _go_on(result: LoggedIn | CodeIssued | PendingIdentity, name: str) -> AnyResponse:
    """Answer with what a login at the provider of this name ended in."""
    if isinstance(result, PendingIdentity):
        pending.store(session, result)
        return redirect("/login/connect", 303)
    if isinstance(result, CodeIssued):
        is_form = request.method == "POST"
        return redirect_by_page(result.url) if is_form else redirect(result.url, 303)
    log_in_browser(result.grant)
    last_used.remember(name)
    if result.created:
        return redirect(f"/welcome?{urlencode({'next': result.path})}", 303)
    if result.password_removed:
        told = _(
            "You are logged in. The password that was set before your e-mail was confirmed no "
            "longer works, and every device that used it is logged out."
        )
        flash(told, "success")
    return redirect(result.path, 303)


def _fulfil(
    asked: AccountRequest, path: str, identity: ExternalIdentity, proven_at: datetime | None
) -> AnyResponse:
    """Do what a logged-in person asked for before going to the provider, and say so."""
    who = current_person()
    if who is None:
        raise StaleSignInError("another person")
    flow.fulfil(asked, identity, proven_at, actor(who))
    label = provider_label(identity.provider)
    if asked.purpose == "confirm":
        told = _("%(label)s confirmed that it is you. Go on within 10 minutes.", label=label)
    else:
        told = _connected(label, identity, who.username)
    flash(told, "success")
    return redirect(path, 303)


def _connected(label: str, identity: ExternalIdentity, username: str) -> str:
    """Say who can log in to which account from now on."""
    whom = " ".join(filter(None, (identity.name, identity.email and f"({identity.email})")))
    told: str = _(
        "%(label)s is connected: %(whom)s can log in to %(username)s.",
        label=label,
        whom=whom or label,
        username=username,
    )
    return told


def _intent() -> LoginIntent:
    """What a browser wants to log in for: a page here, or a front end that the settings name."""
    client = asking(request.args)
    if client is not None:
        return LoginIntent(client=client)
    who = current_person()
    return LoginIntent(next_path(request.args.get("next")), began_by=who.id if who else None)


def _context(waiting: PendingIdentity) -> dict[str, Any]:
    """What the page says of the identity and of the account that it would log in to."""
    holder = sign_in.email_holder(waiting.identity)
    return {
        "label": provider_label(waiting.identity.provider),
        "name": waiting.identity.name,
        "email": waiting.identity.email,
        "can_decline": holder is not None and holder.can_decline,
    }


def _refuse_programs() -> None:
    """Refuse clients that keep no cookie and show no page."""
    if not is_browser():
        raise NotAcceptable
