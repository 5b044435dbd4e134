"""What a failure of MySQL says about the transaction that it ended.

Beside those of one server, the failures of Group Replication (docs/cluster). Imports no driver: a
worker on SQLite loads none.
"""

from __future__ import annotations

from enum import Enum

from sqlalchemy.exc import DBAPIError

_ER_LOCK_DEADLOCK = 1213
# --read-only or --super-read-only, ER_READ_ONLY_MODE, and three of a member whose group cannot
# begin a transaction (ER_GRP_TRX_…): the server is no writer any more, and refused the statement.
_NO_WRITER = frozenset({1290, 1836, 3796, 3797, 3799})
# And two that end the connection: ER_SERVER_SHUTDOWN, ER_SESSION_WAS_KILLED.
USELESS = _NO_WRITER | {1053, 3169}
# ER_RUN_HOOK_ERROR, ER_TRANSACTION_ROLLBACK_DURING_COMMIT: a certification conflict, or a member
# that lost its group. In the second case the other members may have received the transaction, and
# commit it.
_OF_A_GROUP = frozenset({3100, 3101})


class Outcome(Enum):
    """What became of a transaction that failed."""

    ROLLED_BACK = "the database undid it, and it may succeed when it is repeated"
    UNKNOWN = "it may have been committed"
    REFUSED = "it would fail again"


def number_of(error: object) -> int | None:
    """MySQL's number of a driver's error; None where it has none."""
    number = next(iter(getattr(error, "args", ())), None)
    return number if isinstance(number, int) else None


def outcome_of(error: DBAPIError) -> Outcome:
    """What became of the transaction that a failure ended.

    Args:
        error: as SQLAlchemy raises it; that of a COMMIT, or of connecting, names no statement.

    """
    number = number_of(error.orig)
    if number == _ER_LOCK_DEADLOCK or number in _NO_WRITER:
        return Outcome.ROLLED_BACK
    if number in _OF_A_GROUP:
        return Outcome.UNKNOWN
    if not error.connection_invalidated:
        return Outcome.REFUSED
    return Outcome.UNKNOWN if error.statement is None else Outcome.ROLLED_BACK
