"""Mails in the token API: a forgotten password, and the proof of an e-mail."""

from __future__ import annotations

from flask import Response

from app.accounts.by_mail import codes, email_verification, password_reset, taking_back
from app.accounts.forms import ForgotForm, ProofForm, ResetForm, UndoForm
from app.core.proofs import EMAIL_VERIFICATION, PASSWORD_RESET, Proof
from app.limits import declared as limits
from app.limits.rules import count_mail_request
from app.sessions.tokens import AccessToken
from app.web.errors import simplejwt
from app.web.forms import parse_form
from app.web.marks import bearer_only, public
from app.web.negotiation import json_response, origin

blueprint = simplejwt.blueprint


@blueprint.post("/password/reset")
@public(limit=limits.MAIL)
def request_password_reset() -> Response:
    """Ask for the mail with which a forgotten password is replaced."""
    password_reset.request_reset(parse_form(ForgotForm).values()["email"], origin().client)
    return json_response({}, 202)


@blueprint.post("/password/reset/confirm")
@public(limit=limits.PROOF)
def reset_password() -> Response:
    """Set a new password; every session ends."""
    fields = parse_form(ResetForm).values()
    proof = _proof(PASSWORD_RESET, fields)
    password_reset.reset_password(proof, fields["new_password"], origin().client)
    return json_response({})


@blueprint.post("/email/verify")
@bearer_only(limit=limits.OWN_MAIL)
def request_verification(access: AccessToken) -> Response:
    """Ask for the mail that proves the own e-mail."""
    count_mail_request(origin().address)
    email_verification.request_verification(access.user_id, origin().client)
    return json_response({}, 202)


@blueprint.post("/email/verify/confirm")
@public(limit=limits.PROOF)
def verify_email() -> Response:
    """Prove an e-mail."""
    proof = _proof(EMAIL_VERIFICATION, parse_form(ProofForm).values())
    email_verification.verify(proof, origin().client)
    return json_response({})


@blueprint.post("/email/undo")
@public(limit=limits.PROOF)
def take_back() -> Response:
    """Take an account back after a notice."""
    taking_back.take_back(parse_form(UndoForm).values()["token"], origin().client)
    return json_response({})


def _proof(purpose: str, fields: dict[str, str]) -> Proof:
    return codes.find_proof(
        purpose, fields.get("token"), fields.get("email", ""), fields.get("code", ""), origin()
    )
