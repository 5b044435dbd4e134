"""What the account page shows, for every route that answers with it."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from app.accounts import confirmation, sessions, social, users
from app.accounts.errors import AccountError, TokenRevokedError
from app.config import settings
from app.errors import refused
from app.forms import (
    ConfirmationForm,
    Fields,
    FirstPasswordForm,
    PasswordForm,
    ProfileForm,
    RecentProofForm,
)
from app.guards import Person
from app.negotiation import page


def show(who: Person) -> Response:
    """Answer with the account page."""
    return page("account.html", **_context(who))


def show_refused(who: Person, error: AccountError, form_name: str, form: Fields) -> Response:
    """Answer with the account page and what is wrong with one of its forms.

    Raises:
        TokenRevokedError: the session ended, so that there is no page to show.

    """
    if isinstance(error, TokenRevokedError):
        raise error
    if form_name == "proof_form":  # it stands on the page once for each provider: say it above
        error.errors = {}
    return refused(error, "account.html", form, **_context(who, **{form_name: form}))


def _context(who: Person, **forms: Any) -> dict[str, Any]:
    """What the page shows; a form that was refused stands as it was sent."""
    profile = users.profile(who.id)
    now = {"username": profile.username, "email": profile.email or ""}
    has_password = users.has_password(who.id)
    unsent = {
        "profile_form": ProfileForm(formdata=None, data=now),
        "password_form": (PasswordForm if has_password else FirstPasswordForm)(formdata=None),
        "proof_form": RecentProofForm(formdata=None),
        "delete_form": ConfirmationForm(formdata=None),
    }
    identities = social.identities(who.id)
    shown = {
        "profile": profile,
        "sessions": sessions.list_sessions(who.id, who.session_id),
        "identities": identities,
        "providers": settings().providers,
        "login_methods": has_password + sum(identity.usable for identity in identities),
        "has_password": has_password,
        "recent": confirmation.is_recent(who.session_id),
    }
    return shown | unsent | forms
