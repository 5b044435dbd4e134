"""What the rules of provider logins can refuse."""

from __future__ import annotations

from app.core.errors import AccountError
from app.text import _l


class DisabledError(AccountError):
    """The account of the external identity is disabled."""

    status = 403
    code = "account_disabled"
    detail = _l("This account is closed. Ask the person who runs this service.")


class ConnectNeededError(AccountError):
    """The e-mail of the external identity has an account, whose owner must confirm first."""

    status = 409
    code = "connect_needed"
    detail = _l("An account here has this e-mail already. Log in to it to connect the two.")


class LastWayInError(AccountError):
    """The external identity is the only login method of the account."""

    status = 409
    code = "last_way_in"
    detail = _l("This is your only way to log in. Set a password or connect another account first.")


class ProviderError(AccountError):
    """A provider login failed.

    Attributes:
        reason: what happened, for the log alone.

    """

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason


class StaleSignInError(ProviderError):
    """The OAuth state is unknown, expired or already used, or the account changed since."""

    status = 400
    code = "sign_in_stale"
    detail = _l("This login attempt has expired.")
    advice = _l("Start again.")


class DeclinedError(ProviderError):
    """The person declined at the provider."""

    status = 403
    code = "provider_declined"
    detail = _l("You cancelled. Nothing has changed.")


class ProviderFaultError(ProviderError):
    """The provider answered with an error, or its answer cannot be verified."""

    status = 502
    code = "provider_fault"
    detail = _l("The answer could not be used, so you are not logged in.")
    advice = _l("Try again in a moment, or log in another way.")


class ProviderTimeoutError(ProviderError):
    """The provider did not answer in time."""

    status = 504
    code = "provider_timeout"
    detail = _l("There was no answer, so you are not logged in.")
    advice = _l("Try again in a few minutes, or log in another way.")


class ProviderBusyError(ProviderError):
    """As many logins wait for this provider as the limit allows."""

    status = 503
    code = "provider_busy"
    detail = _l("Too many people are waiting to log in this way.")
    advice = _l("Try again in a few seconds, or log in another way.")
    retry_after = 5
