"""Codes of mails, counted as failed logins are: neither can be guessed through the other."""

from __future__ import annotations

from app import audit
from app.accounts.login import attempt
from app.accounts.lookup import find_by_name
from app.audit import Event
from app.core import proofs
from app.core.database import release_connection
from app.core.errors import ProofRefusedError
from app.core.proofs import Proof
from app.limits.rules import counting_bad_tokens
from app.sessions.origin import Origin


def find_proof(purpose: str, token: str | None, email: str, code: str, origin: Origin) -> Proof:
    """Return the proof that a person presents: the token of a link, or an e-mail and a code.

    Raises:
        ProofRefusedError: it is wrong, used, expired or tried too often.
        TooManyRequestsError: too many codes or passwords of the account were wrong.

    """
    with counting_bad_tokens(origin.address):
        try:
            if token is not None:
                return proofs.find_by_token(purpose, token)
            return _by_code(purpose, email, code, origin)
        except ProofRefusedError:
            release_connection()
            audit.record(Event.PROOF_REFUSED, kind=purpose)
            raise


def _by_code(purpose: str, email: str, code: str, origin: Origin) -> Proof:
    user = find_by_name(email)
    release_connection()
    guess = attempt(user, email, origin)
    guess.check()
    try:
        return proofs.find_by_code(purpose, email, code)
    except ProofRefusedError:
        guess.record_failure()
        raise
