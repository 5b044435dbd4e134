"""The page of the devices on which a person is logged in."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, Response, flash, redirect
from flask_babel import format_timedelta, ngettext
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import NotFoundError
from app.models import utcnow
from app.sessions import ending, listing
from app.web.access import Person, log_out_browser
from app.web.marks import person_only
from app.web.negotiation import render_page

blueprint = Blueprint("devices", __name__)
_PAGE = "/account/devices"


@blueprint.get(_PAGE)
@person_only
def devices(who: Person) -> Response:
    """List the devices on which the person is logged in."""
    sessions = listing.list_sessions(who.id, who.session_id)
    return render_page("sessions/devices.html", sessions=sessions)


@blueprint.get(f"{_PAGE}/end-others")
@blueprint.get(f"{_PAGE}/<int(max=2147483647):session_id>/end", endpoint="page_of")
@person_only
def back(_who: Person, session_id: int = 0) -> AnyResponse:  # noqa: ARG001
    """Lead whoever reopens the address of a button to its page."""
    return redirect(_PAGE, 303)


@blueprint.post(f"{_PAGE}/<int(max=2147483647):session_id>/end")
@person_only(unlimited="ends a session of the person's own")
def end_session(who: Person, session_id: int) -> AnyResponse:
    """End one of the own sessions; one that has ended meanwhile is as the person wants it."""
    try:
        ending.revoke(who.id, session_id)
    except NotFoundError:
        flash(_("That device was logged out already."), "success")
        return redirect(_PAGE, 303)
    if session_id == who.session_id:
        log_out_browser()
        flash(_("You are logged out."), "success")
        return redirect("/", 303)
    flash(_("That device is logged out."), "success")
    return redirect(_PAGE, 303)


@blueprint.post(f"{_PAGE}/end-others")
@person_only(unlimited="ends sessions of the person's own")
def end_other_sessions(who: Person) -> AnyResponse:
    """End all sessions of the person but this one."""
    count = ending.log_out_everywhere(who.id, keep=who.session_id)
    if count:
        told = ngettext(
            "One other device is logged out.", "%(num)s other devices are logged out.", count
        )
    else:
        told = _("You were not logged in on any other device.")
    flash(told, "success")
    return redirect(_PAGE, 303)


@blueprint.app_template_filter("ago")
def ago(moment: datetime) -> str:
    """How long ago a moment in UTC was, in the reader's language: "2 minutes ago"."""
    passed = max(utcnow() - moment, timedelta(seconds=1))
    text: str = format_timedelta(-passed, add_direction=True)
    return text
