"""One-time codes, which a front end exchanges for the tokens of a provider login (RFC 7636)."""

from __future__ import annotations

import hashlib
import hmac

from jwt.utils import base64url_encode
from sqlalchemy import select

from app import audit
from app.audit import Event
from app.core import one_time
from app.core.database import lock_user, transaction
from app.core.errors import (
    InvalidGrantError,
    SessionRefusedError,
    TokenRevokedError,
    UnknownCodeError,
)
from app.extensions import db
from app.models import Session
from app.sessions import opening
from app.sessions.opening import Grant
from app.sessions.origin import Origin
from app.social.errors import StaleSignInError
from app.social.identities import SignIn

CODE_SECONDS = 60


@transaction()
def issue_code(signed_in: SignIn, challenge: str) -> str:
    """Issue a one-time code for the front end that has the verifier of an S256 challenge.

    Raises:
        StaleSignInError: the account has changed since the login.

    """
    user = lock_user(signed_in.user_id)
    if user is None or user.auth_epoch != signed_in.epoch:
        db.session.rollback()
        raise StaleSignInError("the account changed")
    code = _issue(signed_in.user_id, signed_in.epoch, signed_in.identity_id, challenge)
    db.session.commit()
    return code


@transaction()
def issue_code_of_session(user_id: int, session_id: int, challenge: str) -> str:
    """Issue a one-time code for the account of a browser's session, which logs in as that did.

    Raises:
        TokenRevokedError: the session has ended.

    """
    user = lock_user(user_id)
    alive = (Session.id == session_id, Session.user_id == user_id, Session.revoked_at.is_(None))
    session = db.session.scalar(select(Session).where(*alive))
    if user is None or session is None:
        db.session.rollback()
        raise TokenRevokedError
    code = _issue(user_id, user.auth_epoch, session.identity_id, challenge)
    db.session.commit()
    return code


def redeem_code(code: str, verifier: str, origin: Origin) -> Grant:
    """Open a session for the account of a one-time code. Any attempt uses the code up.

    Raises:
        UnknownCodeError: the code is unknown or used.
        InvalidGrantError: the code is expired, the verifier is wrong, or the account or its
            identity has changed since.

    """
    try:
        consumed = one_time.consume(one_time.LOGIN_CODE, code)
    except UnknownCodeError:
        audit.record(Event.CODE_REFUSED, user_id=None)
        raise
    if consumed is None or not hmac.compare_digest(consumed.challenge or "", s256(verifier)):
        audit.record(Event.CODE_REFUSED, user_id=consumed.user_id if consumed else None)
        raise InvalidGrantError
    identity_id = int(consumed.subject) if consumed.subject else None
    try:
        return opening.open_session(
            consumed.user_id,
            consumed.epoch or 0,
            origin,
            (opening.PASSWORD,) if identity_id is None else (opening.FEDERATED,),
            identity_id=identity_id,
        )
    except SessionRefusedError:
        raise InvalidGrantError from None


def _issue(user_id: int, epoch: int, identity_id: int | None, challenge: str) -> str:
    """Issue a code; its subject is the identity that logged in, or empty for a password."""
    return one_time.issue(
        one_time.LOGIN_CODE,
        user_id,
        CODE_SECONDS,
        epoch=epoch,
        subject="" if identity_id is None else str(identity_id),
        challenge=challenge,
    )


def s256(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 §4.2)."""
    return base64url_encode(hashlib.sha256(verifier.encode()).digest()).decode("ascii")
