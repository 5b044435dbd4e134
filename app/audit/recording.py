"""Recording an event: one log line, whose format is that of app/web/logs."""

from __future__ import annotations

import logging
from typing import Unpack

from app.audit.events import Event, Fault, Fields

_audit = logging.getLogger("loguserapp.audit")
_service = logging.getLogger("loguserapp.service")


def record(
    event: Event | Fault, *, exc_info: BaseException | None = None, **fields: Unpack[Fields]
) -> None:
    """Record that an event has happened; the caller's transaction is committed.

    The address and the number of the request, if any, are added by the log.

    Args:
        event: what happened.
        exc_info: the error whose traceback the line shows, if any.
        fields: what the event declares, and nothing else.

    Raises:
        TypeError: the event does not declare one of the fields.

    """
    undeclared = fields.keys() - event.fields
    if undeclared:
        raise TypeError(f"{event.value} does not declare {', '.join(sorted(undeclared))}")
    logger = _audit if isinstance(event, Event) else _service
    facts = {**fields, "outcome": event.outcome}
    logger.log(event.level, event.value, extra={"facts": facts}, exc_info=exc_info)
