"""Every mail that the service sends, once."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """A mail. Its templates are `mail/<kind>.txt` and `mail/<kind>.html`."""

    PASSWORD_RESET = "password_reset"
    EMAIL_VERIFICATION = "email_verification"
    CONFIRMATION = "confirmation"
    # Notices, each with a link that takes the account back.
    EMAIL_CHANGED = "email_changed"
    PASSWORD_CHANGED = "password_changed"
    IDENTITY_CONNECTED = "identity_connected"
    IDENTITY_DISCONNECTED = "identity_disconnected"
    NEW_LOGIN = "new_login"
