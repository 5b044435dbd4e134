"""The pages for a forgotten password: /forgot asks for the mail, /reset takes what it says."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect
from flask_babel import gettext as _
from werkzeug.exceptions import NotAcceptable
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import lookup
from app.accounts.by_mail import codes, password_reset
from app.accounts.forms import ForgotForm, ResetForm
from app.core import proofs
from app.core.errors import AccountError, ProofRefusedError
from app.core.proofs import PASSWORD_RESET
from app.limits import declared as limits
from app.web.access import log_out_browser
from app.web.browser import mailed_link
from app.web.browser.own_outbox import mail_state
from app.web.errors.problems import render_refusal
from app.web.forms import parse_form
from app.web.marks import public
from app.web.negotiation import is_browser, origin, render_page

blueprint = Blueprint("forgotten", __name__)


@blueprint.get("/forgot")
@public
def forgot() -> Response:
    """Ask for the e-mail of the account."""
    _refuse_programs()
    form = ForgotForm(formdata=None)
    return render_page("accounts/forgot.html", form=form, mail_state=mail_state())


@blueprint.post("/forgot")
@public(limit=limits.MAIL)
def request_reset() -> AnyResponse:
    """Ask for the mail, and lead to the page that takes its code."""
    _refuse_programs()
    form = parse_form(ForgotForm)
    try:
        email = form.values()["email"]
        password_reset.request_reset(email, origin().client)
    except AccountError as error:
        return render_refusal(error, "accounts/forgot.html", form, mail_state=mail_state())
    mailed_link.ask_code_of("/reset", email)
    return redirect("/reset", 303)


@blueprint.get("/reset")
@public
def reset_form() -> AnyResponse:
    """Show the form for the new password."""
    moved = mailed_link.take_from_address()
    if moved is not None:
        return moved
    form = ResetForm(formdata=None, data={"email": mailed_link.code_asked_of()})
    try:
        return render_page("accounts/reset.html", form=form, **_context())
    except ProofRefusedError as error:
        return _refused(error, form)


@blueprint.post("/reset")
@public(limit=limits.PROOF)
def reset() -> AnyResponse:
    """Set the new password; every session ends, this browser's too."""
    _refuse_programs()
    token = mailed_link.sent()
    form = parse_form(ResetForm, has_link=token is not None)
    try:
        fields = form.values()
        proof = codes.find_proof(
            PASSWORD_RESET, token, fields.get("email", ""), fields.get("code", ""), origin()
        )
        password_reset.reset_password(proof, fields["new_password"], origin().client)
    except AccountError as error:
        return _refused(error, form)
    log_out_browser()
    flash(_("Your password is changed. Log in with it."), "success")
    return redirect("/login", 303)


def _refused(error: AccountError, form: ResetForm) -> Response:
    link_refused = mailed_link.word_refusal(error)
    context = _context() | {"link_refused": link_refused}
    return render_refusal(error, "accounts/reset.html", form, **context)


def _context() -> dict[str, Any]:
    """What the page needs beside its form.

    Raises:
        ProofRefusedError: the link that the person came by is good for nothing.

    """
    token = mailed_link.waiting()
    proof = proofs.find_by_token(PASSWORD_RESET, token) if token else None
    return {
        "linked": proof is not None,
        "linked_email": proof.email if proof else "",
        # A link of the operator is of no e-mail.
        "linked_name": lookup.profile(proof.user_id).username if proof else "",
        "asked_for": mailed_link.code_asked_of(),
        "mail_state": mail_state(),
    }


def _refuse_programs() -> None:
    if not is_browser():
        raise NotAcceptable
