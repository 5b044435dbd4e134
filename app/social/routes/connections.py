"""The page of the connected accounts: connect, disconnect, use as a proof."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import lookup
from app.config import settings
from app.core.errors import AccountError, NotFoundError
from app.limits import declared as limits
from app.proof import confirmation, mailed_code
from app.proof.forms import RecentProofForm
from app.social import linking
from app.social.intent import AccountRequest, LoginIntent
from app.social.providers import provider
from app.social.routes import CONNECTIONS, blueprint, next_path, provider_label, redirect_by_page
from app.web.access import Person, actor
from app.web.forms import parse_form
from app.web.marks import person_only
from app.web.negotiation import render_page
from app.web.pages.settings_pages import render_refused_change

__all__ = ["blueprint"]

_TEMPLATE = "social/connections.html"
_DISCONNECT = f"{CONNECTIONS}/<int(max=2147483647):identity_id>/disconnect"


@blueprint.get(CONNECTIONS)
@person_only
def connections(who: Person) -> Response:
    """List the connected accounts, and what can be connected."""
    return render_page(_TEMPLATE, form=RecentProofForm(formdata=None), **_context(who))


@blueprint.get(f"{CONNECTIONS}/connect/<name>")
@blueprint.get(f"{CONNECTIONS}/confirm/<name>")
@blueprint.get(_DISCONNECT)
@person_only
def back_to_connections(_who: Person, **_address: object) -> AnyResponse:
    """Lead a person who reopens the address of a button to its page."""
    return redirect(CONNECTIONS, 303)


@blueprint.post(f"{CONNECTIONS}/connect/<name>")
@person_only(limit=limits.CONFIRMATION)
def connect(who: Person, name: str) -> AnyResponse:
    """Send a logged-in person to the provider, to connect what comes back to the account."""
    there = provider(name)
    form = parse_form(RecentProofForm)
    try:
        confirmed = confirmation.confirm(actor(who), form.password(), recent_suffices=True)
    except AccountError as error:
        return _refused(who, error, form)
    asked = AccountRequest("connect", who.id, who.session_id, confirmed.epoch)
    return redirect_by_page(there.begin(LoginIntent(CONNECTIONS, asked)))


@blueprint.post(f"{CONNECTIONS}/confirm/<name>")
@person_only(unlimited="the provider asks the person")
def confirm_by_provider(who: Person, name: str) -> Response:
    """Send a logged-in person to the provider, to prove there to be the account's owner."""
    asked = AccountRequest("confirm", who.id, who.session_id, 0)
    path = next_path(request.form.get("next"), CONNECTIONS)
    return redirect_by_page(provider(name).begin(LoginIntent(path, asked)))


@blueprint.post(_DISCONNECT)
@person_only(limit=limits.CONFIRMATION)
def disconnect(who: Person, identity_id: int) -> AnyResponse:
    """Disconnect one of the own identities, which ends the sessions that it opened."""
    form = parse_form(RecentProofForm)
    try:
        name = linking.disconnect(actor(who), identity_id, form.password())
    except NotFoundError:  # in another tab, or by a second click
        flash(_("That account was disconnected already."), "success")
        return redirect(CONNECTIONS, 303)
    except AccountError as error:
        return _refused(who, error, form)
    label = provider_label(name)
    flash(_("%(label)s is disconnected. You can no longer log in with it.", label=label), "success")
    return redirect(CONNECTIONS, 303)


def _refused(who: Person, error: AccountError, form: RecentProofForm) -> Response:
    error.errors = {}  # the field stands on the page once for each provider: said above them
    return render_refused_change(error, _TEMPLATE, form, **_context(who))


def _context(who: Person) -> dict[str, Any]:
    identities = linking.identities(who.id)
    has_password = lookup.has_password(who.id)
    usable = sum(identity.usable for identity in identities)
    return {
        "providers": settings().providers,
        "has_password": has_password,
        "identities": identities,
        "login_methods": has_password + usable,
        "by_mail": mailed_code.is_possible(who.id),
        "recent": confirmation.is_recent(who.session_id),
    }
