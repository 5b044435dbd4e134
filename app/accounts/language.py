"""The language in which a person reads pages and mails."""

from __future__ import annotations

from sqlalchemy import update

from app.core.database import transaction
from app.extensions import db
from app.models import User


@transaction(idempotent=True)
def set_language(user_id: int, language: str | None) -> None:
    """Keep the language of an account; None: as the person's browser asks."""
    db.session.execute(update(User).where(User.id == user_id).values(language=language))
    db.session.commit()


def language_of(user_id: int) -> str | None:
    """The language that the person of an account has chosen, if any."""
    return db.session.get_one(User, user_id).language
