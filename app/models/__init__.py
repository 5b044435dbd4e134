"""The tables. Migrations create them; a test compares the two."""

from app.models.base import Base, utcnow
from app.models.counter import Counter
from app.models.identity import Identity
from app.models.lease import Lease
from app.models.one_time import OneTime
from app.models.outbox import Outbox
from app.models.session import Session
from app.models.user import User

__all__ = [
    "Base", "Counter", "Identity", "Lease", "OneTime", "Outbox", "Session", "User", "utcnow",
]  # fmt: skip
