"""What the account rules can refuse: each refusal a code and a sentence for the person."""

from __future__ import annotations


class AccountError(Exception):
    """A refusal.

    Attributes:
        code: the stable name that programs compare.
        detail: what happened and what to do next, for a person.
        advice: what to do next, where the detail says only what happened.
        errors: messages by field name, empty where no field is at fault.
        retry_after: seconds after which trying again makes sense, or None.

    """

    code = "error"
    detail = "That did not work."
    advice = ""
    retry_after: int | None = None

    def __init__(self, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(self.detail)
        self.errors = errors or {}


def _warning(tries_left: int | None) -> str:
    """What a page says before the last tries; programs are told nothing of it."""
    warnings = {
        2: "Two more tries, then wait 15 minutes.",
        1: "One more try, then wait 15 minutes.",
        0: "That was the last try: wait 15 minutes.",
    }
    return warnings.get(tries_left, "") if tries_left is not None else ""


class UsernameTakenError(AccountError):
    """Another account has this username, in this or another spelling of its case."""

    code = "username_taken"
    detail = "That username is taken. Try another, or log in if it is yours."

    def __init__(self) -> None:
        super().__init__({"username": [self.detail]})


class EmailTakenError(AccountError):
    """Another account has this e-mail, in this or another spelling of its case."""

    code = "email_taken"
    detail = "That e-mail already has an account. Log in, or use another e-mail."

    def __init__(self) -> None:
        super().__init__({"email": [self.detail]})


class InvalidCredentialsError(AccountError):
    """No account, a wrong password, a disabled account: told apart by nobody outside."""

    code = "invalid_credentials"
    detail = "Invalid credentials"
    advice = "Check the username and the password, and try again."

    def __init__(self, tries_left: int | None = None) -> None:
        super().__init__()
        self.advice = f"{self.advice} {_warning(tries_left)}".rstrip()


class WrongPasswordError(AccountError):
    """The signed-in person did not prove to know the current password."""

    code = "wrong_password"
    detail = "That is not your current password. Try again."

    def __init__(self, tries_left: int | None = None) -> None:
        super().__init__({"current_password": [self.detail]})
        self.advice = _warning(tries_left)


class NotFoundError(AccountError):
    """The thing asked for is not there, or belongs to someone else."""

    code = "not_found"
    detail = "There is nothing here by that name."


class BusyError(AccountError):
    """More passwords wait to be checked than can be checked soon."""

    code = "service_unavailable"
    detail = "Many people are logging in just now. Try again in a few seconds."
    retry_after = 2


class TooManyRequestsError(AccountError):
    """Too often; `retry_after` says for how many seconds to wait."""

    code = "too_many_requests"

    def __init__(self, retry_after: int) -> None:
        minutes = -(-retry_after // 60)
        wait = f"{minutes} minutes" if minutes > 1 else "a minute"
        self.detail = f"That was too often. Wait {wait}, then try again."
        self.retry_after = retry_after
        super().__init__()


class UnsureError(AccountError):
    """The database has been away so long that nobody can say which logins still stand."""

    code = "service_unavailable"
    detail = "The service cannot check your login just now. Try again in a few seconds."
    retry_after = 5


class TokenError(AccountError):
    """A token that proves nothing."""


class TokenMissingError(TokenError):
    """There is no token where one is needed."""

    code = "token_missing"
    detail = "This needs an access token: send it as Authorization: Bearer <token>."


class TokenInvalidError(TokenError):
    """Not a token of ours, or not whole."""

    code = "token_invalid"
    detail = "This is not a token of this service. Copy it whole, or log in for a new one."


class TokenExpiredError(TokenError):
    """A token of ours whose time is over."""

    code = "token_expired"
    detail = "This token has expired. Refresh it, or log in for a new one."


class TokenWrongTypeError(TokenInvalidError):
    """An access token where a refresh token is needed, or the reverse."""

    detail = "This token is of the other kind: access and refresh tokens are not exchangeable."


class TokenRevokedError(TokenError):
    """A token of a login that has ended."""

    code = "token_revoked"
    detail = "This token's login has ended. Log in for a new one."


class ValidationError(AccountError):
    """Fields that break the field rules."""

    code = "validation_error"
    detail = "Some fields need another value."


class DisabledError(AccountError):
    """Who came with a good outside identity is shut out here."""

    code = "account_disabled"
    detail = "This account is closed. Ask whoever runs this service."


class ConnectNeededError(AccountError):
    """The e-mail of an outside identity belongs to an account whose owner must say yes first."""

    code = "connect_needed"
    detail = "An account here has this e-mail already. Log in to it to connect the two."


class IdentityTakenError(AccountError):
    """The outside identity opens another account."""

    code = "identity_taken"
    detail = "It is connected to another account here. Disconnect it there first."


class LastWayInError(AccountError):
    """Without this identity nobody could sign in to the account any more."""

    code = "last_way_in"
    detail = "This is your only way in. Set a password or connect another one first."


class ReauthenticationRequiredError(AccountError):
    """A change that needs proof of the person within the last 10 minutes."""

    code = "reauthentication_required"
    detail = "Confirm first that it is you: give your password, or log in again."


class SessionRefusedError(Exception):
    """A login whose account changed while it was in progress; each caller says it in its way.

    Attributes:
        disabled: the account is disabled.

    """

    def __init__(self, *, disabled: bool) -> None:
        super().__init__("the account changed during the login")
        self.disabled = disabled


class PasswordSetError(AccountError):
    """The account has a password, so another one needs the current one."""

    code = "password_set"
    detail = "Your account has a password already. Change it with the current one."


class InvalidGrantError(AccountError):
    """A one-time code that was used, is too old, was made up, or came with another's verifier."""

    code = "invalid_grant"
    detail = "This code is not good, or not good any more. Start the sign-in again."


class UnknownCodeError(InvalidGrantError):
    """A one-time code that is not in the table: made up, or used before."""


class RegistrationClosedError(AccountError):
    """REGISTRATION=closed: only the command line creates accounts."""

    code = "registration_closed"
    detail = "New accounts are not open here. Ask whoever runs this service for one."


class ProviderError(AccountError):
    """A sign-in with an outside identity that came to nothing.

    Attributes:
        reason: what happened, for the log alone.

    """

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason


class StaleSignInError(ProviderError):
    """An answer to a question that this browser did not ask, or asked too long ago, or once."""

    code = "sign_in_stale"
    detail = "This sign-in was finished already, took too long, or began in another browser."
    advice = "Start it again."


class DeclinedError(ProviderError):
    """The person said no at the provider."""

    code = "provider_declined"
    detail = "You did not allow it, so nothing has changed here."
    advice = "Try again, or log in another way."


class ProviderFaultError(ProviderError):
    """The provider answered with an error, with nonsense, or with what proves nothing."""

    code = "provider_fault"
    detail = "Its answer could not be used, so you are not signed in."
    advice = "Try again in a moment, or log in another way."


class ProviderTimeoutError(ProviderError):
    """The provider did not answer in time."""

    code = "provider_timeout"
    detail = "It does not answer just now, so you are not signed in."
    advice = "Try again in a few minutes, or log in another way."


class ProviderBusyError(ProviderError):
    """As many sign-ins wait for this provider as may."""

    code = "provider_busy"
    detail = "Too many sign-ins are waiting for it just now."
    advice = "Try again in a few seconds, or log in another way."
    retry_after = 5
