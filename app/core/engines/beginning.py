"""Which statements begin a transaction; each engine begins it in its own way.

A read begins none and sees the latest commit. A statement that writes does, and so does a SELECT
that locks (`with_for_update()`, or the execution option `write_lock=True`).
On MySQL a statement with the option `whole_transaction=True` commits itself, without a round trip
for it.
"""

from __future__ import annotations

from sqlalchemy.engine import ExecutionContext

_READS = frozenset({"SELECT", "SHOW", "SET", "PRAGMA", "EXPLAIN", "BEGIN", "VACUUM"})


def begins_transaction(statement: str, context: ExecutionContext) -> bool:
    """Whether a statement belongs in a transaction, which begins with it if none is open.

    Args:
        statement: its text. That of SQLite lacks FOR UPDATE, which SQLAlchemy leaves out there.
        context: SQLAlchemy's execution of it.

    """
    if statement.lstrip()[:8].upper().partition(" ")[0] not in _READS:
        return True
    select = getattr(context.compiled, "statement", None)
    for_update = getattr(select, "_for_update_arg", None) is not None
    return for_update or bool(context.execution_options.get("write_lock"))
