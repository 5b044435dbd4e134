"""The page /verify, on which a person proves an e-mail."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect
from flask_babel import gettext as _
from werkzeug.exceptions import NotAcceptable
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import lookup
from app.accounts.by_mail import codes, email_verification
from app.accounts.forms import ProofForm
from app.core import proofs
from app.core.errors import (
    AccountError,
    AlreadyVerifiedError,
    NotFoundError,
    ProofRefusedError,
    SessionRefusedError,
)
from app.core.proofs import EMAIL_VERIFICATION
from app.limits import declared as limits
from app.limits.rules import count_mail_request
from app.sessions.opening import PASSWORD, open_session
from app.web.access import current_person, log_in_browser
from app.web.browser import arrival, last_used, mailed_link, unverified
from app.web.browser.own_outbox import mail_state
from app.web.errors.problems import render_refusal
from app.web.forms import parse_form
from app.web.marks import public
from app.web.negotiation import is_browser, origin, render_page

blueprint = Blueprint("verification", __name__)
_TEMPLATE = "accounts/verify.html"


@blueprint.get("/verify")
@public
def form() -> AnyResponse:
    """Ask for one press of a button, or for the code."""
    moved = mailed_link.take_from_address()
    if moved is not None:
        return moved
    form = ProofForm(formdata=None, data={"email": _own_email()})
    try:
        context = _context()
    except ProofRefusedError as error:
        return _refused(error, form)
    if context["linked"] is None and current_person() and context["own_email"] is None:
        return redirect("/account/profile", 303)
    return render_page(_TEMPLATE, form=form, **context)


@blueprint.post("/verify")
@public(limit=limits.PROOF)
def verify() -> AnyResponse:
    """Count the e-mail as proven; log in the browser that registered the account."""
    if not is_browser():
        raise NotAcceptable
    token = mailed_link.sent()
    form = parse_form(ProofForm, has_link=token is not None)
    try:
        fields = form.values()
        proof = codes.find_proof(
            EMAIL_VERIFICATION, token, fields.get("email", ""), fields.get("code", ""), origin()
        )
        user_id = email_verification.verify(proof, origin().client)
    except AccountError as error:
        return _refused(error, form)
    mailed_link.forget()
    flash(_("Your e-mail is confirmed."), "success")
    return _go_on(user_id)


@blueprint.post("/verify/send")
@public(limit=limits.OWN_MAIL)
def send() -> AnyResponse:
    """Send a new mail to the person who is logged in, or whose right password just came."""
    if not is_browser():
        raise NotAcceptable
    user_id = _own_id()
    if user_id is None:
        return redirect("/login", 303)
    try:
        count_mail_request(origin().address)
        email_verification.request_verification(user_id, origin().client)
    except AlreadyVerifiedError:
        flash(_("Your e-mail is confirmed already."), "success")
        return _go_on(user_id)
    except AccountError as error:
        form = ProofForm(formdata=None, data={"email": _own_email()})
        return render_refusal(error, _TEMPLATE, form, **_context())
    flash(
        _("The mail is on its way. It can take a minute; look among unwanted mail too."), "success"
    )
    return redirect("/verify", 303)


@blueprint.get("/verify/send")
@public
def back() -> AnyResponse:
    """Lead a person who reopens the address of the button to its page."""
    return redirect("/verify", 303)


def _go_on(user_id: int) -> AnyResponse:
    waiting = unverified.waiting()
    if waiting is None or waiting.user_id != user_id:
        return redirect("/account/profile" if current_person() else "/login", 303)
    try:
        grant = open_session(user_id, waiting.epoch, origin(), (PASSWORD,))
    except (SessionRefusedError, AccountError):
        return redirect("/login", 303)
    log_in_browser(grant)
    arrival.note(waiting.onward)
    last_used.remember(last_used.PASSWORD)
    return redirect(waiting.onward, 303)


def _own_id() -> int | None:
    """The account of this browser's person: logged in, or about to be."""
    who = current_person()
    if who is not None:
        return who.id
    waiting = unverified.waiting()
    if waiting is None or not lookup.is_at_epoch(waiting.user_id, waiting.epoch):
        return None
    return waiting.user_id


def _own_email() -> str | None:
    """The e-mail that this browser's person has to prove, if any."""
    user_id = _own_id()
    if user_id is None:
        return None
    try:
        own = lookup.profile(user_id)
    except NotFoundError:
        return None
    return own.pending_email or (None if own.email_verified else own.email)


def _refused(error: AccountError, form: ProofForm) -> AnyResponse:
    link_refused = mailed_link.word_refusal(error)
    if link_refused and current_person() and _own_email() is None:  # a link pressed twice
        flash(_("Your e-mail is confirmed already."), "success")
        return redirect("/account/profile", 303)
    context = _context() | {"link_refused": link_refused}
    return render_refusal(error, _TEMPLATE, form, **context)


def _context() -> dict[str, Any]:
    """What the page needs beside its form.

    Raises:
        ProofRefusedError: the link that the person came by is good for nothing.

    """
    token = mailed_link.waiting()
    linked = proofs.find_by_token(EMAIL_VERIFICATION, token) if token else None
    return {
        "linked": linked,
        "linked_name": lookup.profile(linked.user_id).username if linked else None,
        "own_email": _own_email(),
        "before_login": current_person() is None and unverified.waiting() is not None,
        "mail_state": mail_state(),
    }
