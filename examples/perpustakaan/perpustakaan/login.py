"""Logging in at loguserapp: a one-time code with PKCE (RFC 6749 §4.1, RFC 7636), and the tokens.

The tokens live in two HttpOnly cookies. What a login that is under way has to remember lies in the
signed session of the browser, one entry for each tab.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from contextlib import suppress
from urllib.parse import unquote, urlencode, urlsplit

from flask import Blueprint, Flask, current_app, flash, g, redirect, request, session
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as AnyResponse

from perpustakaan import loguserapp, readers, tokens
from perpustakaan.language import select_language
from perpustakaan.problems import Problem, Unavailable

blueprint = Blueprint("login", __name__)

# Seconds that a login may take: a person may have to register, or look for a password.
_LONGEST_LOGIN = 30 * 60
# Logins under way in one browser; of more, the oldest is forgotten.
_MOST_LOGINS = 5
_LONGEST_NEXT = 300
# What would lead a person who is back from a login away again, or do nothing.
_NOT_NEXT = ("/login", "/register", "/callback", "/logout")


def init_app(app: Flask) -> None:
    """Add the addresses of the login, and keep tokens that were renewed."""
    app.register_blueprint(blueprint)
    tokens.init_app(app)


@blueprint.get("/login", endpoint="begin")
@blueprint.get("/register", endpoint="register")
def begin() -> AnyResponse:
    """Lead to loguserapp, which leads back to `/callback`."""
    then = own_path(request.args.get("next"))
    if tokens.is_logged_in():
        return _lead_to(then)
    state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    under_way = [[state, verifier, then, int(time.time())], *session.get("logins", [])]
    session["logins"] = under_way[:_MOST_LOGINS]
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    query = urlencode(
        {
            "redirect_uri": f"{current_app.config['APP_URL']}/callback",
            "state": state,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
            "lang": select_language(),
        }
    )
    return redirect(f"{current_app.config['LOGUSERAPP_URL']}{request.path}?{query}", 303)


@blueprint.get("/callback")
def finish() -> AnyResponse:
    """Take the code with which a person comes back, and lead on to the page they came from.

    Raises:
        Problem: the login began elsewhere or took too long, or loguserapp refused it.
        Unavailable: loguserapp does not answer.

    """
    found = _take(request.args.get("state", ""))
    if found is None:
        if tokens.is_logged_in():  # the person came back to an old address
            return _lead_to("/")
        raise Problem(
            400,
            "login_unknown",
            _l("It began in another browser, or too long ago. Log in once more."),
        )
    verifier, then = found
    g.login_next = then  # where the page of a failure leads
    if request.args.get("error"):
        raise Problem(400, "login_cancelled", _l("The login was cancelled. Nothing has changed."))
    visitor = tokens.exchange(request.args.get("code", ""), verifier)
    # The name may have changed since the last visit; the old one does until loguserapp answers.
    with suppress(loguserapp.Refused, Unavailable):
        readers.recognize(visitor.sub, visitor.token, ask=True)
    return _lead_to(then)


@blueprint.post("/logout")
def log_out() -> AnyResponse:
    """End the login, here and at loguserapp."""
    if tokens.end():
        flash(_("You are logged out."), "logged_out")
    else:
        flash(
            _(
                "You are logged out in this browser. The login service does not answer, so it may "
                "list this device for a while."
            ),
            "logged_out",
        )
    return _lead_to("/")


@blueprint.get("/logout")
def after_log_out() -> AnyResponse:
    """Lead on a person who opens the address of the button again."""
    return _lead_to("/")


def own_path(text: str | None) -> str:
    """A path of this service, without its prefix; `/` where the text is none.

    A link to `/login?next=…` must not lead to another site, whatever it says.
    """
    if not text or len(text) > _LONGEST_NEXT or not text.isascii() or not text.isprintable():
        return "/"
    if not text.startswith("/") or text.startswith("//") or "\\" in text or " " in text:
        return "/"
    path = unquote(urlsplit(text).path)
    if path.startswith(_NOT_NEXT) or {".", ".."} & set(path.split("/")):
        return "/"
    return text


def this_path() -> str:
    """The path of this request as a value for `next`; `/` where only a form leads there."""
    if request.method != "GET":
        return "/"
    return own_path(request.full_path.rstrip("?"))


def _take(state: str) -> tuple[str, str] | None:
    """The verifier and the next page of a login under way, which ends it; None of any other."""
    under_way = session.get("logins", [])
    for entry in under_way:
        known, verifier, then, began = entry
        if secrets.compare_digest(known.encode(), state.encode()):
            session["logins"] = [other for other in under_way if other is not entry]
            return (verifier, then) if time.time() - began < _LONGEST_LOGIN else None
    return None


def _lead_to(path: str) -> AnyResponse:
    response: AnyResponse = redirect(request.script_root + path, 303)
    response.headers["Cache-Control"] = "no-store"
    return response
