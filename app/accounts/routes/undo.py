"""The page /undo: "this was not me", from the link of a notice."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask_babel import gettext as _
from werkzeug.exceptions import NotAcceptable
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.by_mail import taking_back
from app.core import proofs
from app.core.errors import AccountError, ProofRefusedError
from app.core.proofs import UNDO
from app.limits import declared as limits
from app.web.access import log_out_browser
from app.web.browser import mailed_link
from app.web.marks import public
from app.web.negotiation import is_browser, origin, render_page

blueprint = Blueprint("undo", __name__)
_TEMPLATE = "accounts/undo.html"


@blueprint.get("/undo")
@public
def ask() -> AnyResponse:
    """Say what taking the account back means, and ask for one press of a button."""
    moved = mailed_link.take_from_address()
    if moved is not None:
        return moved
    token = mailed_link.waiting()
    try:
        proof = proofs.find_by_token(UNDO, token or "")
    except ProofRefusedError as error:
        return _refused(error)
    return render_page(_TEMPLATE, address=proof.email)


@blueprint.post("/undo")
@public(limit=limits.PROOF)
def undo() -> AnyResponse:
    """Take the account back, and lead to the page for a new password."""
    if not is_browser():
        raise NotAcceptable
    try:
        address = taking_back.take_back(mailed_link.waiting() or "", origin().client)
    except AccountError as error:
        return _refused(error)
    log_out_browser()
    mailed_link.ask_code_of("/reset", address)
    told = _(
        "Your account is yours again, and every login has ended. Choose a new password: we have "
        "sent you a code."
    )
    flash(told, "success")
    return redirect("/reset", 303)


def _refused(error: AccountError) -> AnyResponse:
    if isinstance(error, ProofRefusedError):
        error.page_detail = mailed_link.REFUSED
    mailed_link.forget()
    return render_page(_TEMPLATE, error.status, error=error)
