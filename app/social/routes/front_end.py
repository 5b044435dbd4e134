"""The page between the login of a person and the front end that asked for it."""

from __future__ import annotations

from flask import Blueprint, get_flashed_messages, redirect, request
from werkzeug.exceptions import NotAcceptable, NotFound
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.front_end import CONTINUE, FrontEnd, asking
from app.social import codes
from app.web.access import Person, current_person
from app.web.browser import arrival
from app.web.marks import person_only, public
from app.web.negotiation import is_browser, render_page

blueprint = Blueprint("front_end", __name__)


@blueprint.get(CONTINUE)
@public
def ask() -> AnyResponse:
    """Lead a person who has just logged in on; one who was logged in before presses a button."""
    client = _client()
    who = current_person()
    if who is None:
        return redirect(f"/login?{client.query}", 303)
    if arrival.take(client.path):
        get_flashed_messages()  # no page of ours shows them now; later they would be stale
        return redirect(_url_with_code(who, client), 303)
    return render_page("social/continue.html", client=client)


@blueprint.post(CONTINUE)
@person_only(unlimited="gives the person's own login to a front end of the settings")
def go_on(who: Person) -> AnyResponse:
    """Give the front end a code; the policy of our forms names its host."""
    return redirect(_url_with_code(who, _client()), 303)


def _client() -> FrontEnd:
    if not is_browser():
        raise NotAcceptable
    client = asking(request.args)
    if client is None:
        raise NotFound
    return client


def _url_with_code(who: Person, client: FrontEnd) -> str:
    code = codes.issue_code_of_session(who.id, who.session_id, client.challenge)
    return client.answer_url(code=code)
