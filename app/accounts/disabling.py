"""Disabling and enabling an account."""

from __future__ import annotations

from app import audit
from app.accounts.lookup import locked
from app.audit import Event
from app.core.database import transaction
from app.extensions import db
from app.models import utcnow
from app.sessions.ending import end_all_and_commit


@transaction()
def set_disabled(user_id: int, *, disabled: bool) -> None:
    """Disable an account, which ends its sessions, or enable it again.

    Raises:
        NotFoundError: there is no such account.

    """
    user = locked(user_id)
    user.disabled_at = utcnow() if disabled else None
    if disabled:
        user.auth_epoch += 1
        user.pending_email = None
        end_all_and_commit(user_id)
    else:
        db.session.commit()
    audit.record(Event.ACCOUNT_DISABLED if disabled else Event.ACCOUNT_ENABLED, user_id=user_id)
