"""Pages of provider logins: their blueprint, and what they have in common."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask_babel import gettext as _

from app import audit
from app.audit import Event
from app.config import settings
from app.core.errors import AccountError, IdentityTakenError, ReauthenticationRequiredError
from app.social.errors import ConnectNeededError, DisabledError, ProviderError
from app.web.access import current_person
from app.web.negotiation import local_path, render_page

blueprint = Blueprint("social", __name__)
CONNECTIONS = "/account/connections"

# What the cookie has room for, in characters.
_MAX_PATH = 300


@blueprint.errorhandler(ProviderError)
@blueprint.errorhandler(DisabledError)
@blueprint.errorhandler(IdentityTakenError)
@blueprint.errorhandler(ConnectNeededError)
@blueprint.errorhandler(ReauthenticationRequiredError)
def show_refusal(error: AccountError) -> Response:
    """Tell a person why the external identity did not help, and what to do next."""
    log_refusal(error)
    name = (request.view_args or {}).get("name", "")
    can_retry = (
        name in settings().providers
        and isinstance(error, ProviderError)
        and current_person() is None
    )
    response = render_page(
        "social/refused.html",
        error.status,
        error=error,
        label=provider_label(name),
        again=f"/login/{name}" if can_retry else None,
    )
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def log_refusal(error: AccountError) -> None:
    """Log a provider login that failed; refusals of the rules are logged there."""
    if isinstance(error, ProviderError):
        audit.record(
            Event.PROVIDER_LOGIN_FAILED,
            provider=(request.view_args or {}).get("name", ""),
            error=error.code,
            reason=error.reason,
        )


def redirect_by_page(address: str) -> Response:
    """Lead a browser to another host by a page.

    Chromium refuses a redirect to another host as the answer to a form (`form-action 'self'`).
    """
    return render_page("social/redirect.html", address=address)


def provider_label(name: str) -> str:
    """What people call a provider."""
    return settings().providers.get(name) or _("The provider")


def next_path(text: str | None, default: str = "/") -> str:
    """The page of this site to go to afterwards, if it fits the cookie, else the default."""
    path = local_path(text, default)
    return path if len(path) <= _MAX_PATH else default
