"""What is recorded: `audit.record(Event.PASSWORD_CHANGED, user_id=7)`."""

from app.audit.events import Event, Fault, Fields
from app.audit.recording import record

__all__ = ["Event", "Fault", "Fields", "record"]
