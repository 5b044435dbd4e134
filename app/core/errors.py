"""What the rules can refuse: each refusal is one class with a status, a code and a sentence."""

from __future__ import annotations

from typing import ClassVar, Self

from app.text import _l, _ln


class AccountError(Exception):
    """A refusal.

    Attributes:
        status: the HTTP status of the answer.
        code: the stable name that programs compare. Only subclasses share it.
        detail: what happened and what to do next, for a person.
        page_detail: the same on a page, where it is worded otherwise there.
        advice: what to do next, where the detail says only what happened.
        errors: messages by field name, empty where no field is at fault.
        retry_after: seconds after which trying again makes sense, or None.

    """

    status: ClassVar[int]
    code: ClassVar[str]
    detail: str
    page_detail = ""
    advice = ""
    retry_after: int | None = None

    def __init__(self, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(self.detail)
        self.errors = errors or {}


def fault_name(error: Exception, detail: object = "") -> str:
    """What the log says of a fault: its class and a detail without secrets, never its message."""
    return f"{type(error).__name__} {detail}".rstrip()


def _warning(tries_left: int | None) -> str:
    """What a page says before the last tries; answers to programs do not contain it."""
    warnings = {
        2: _l("Two more tries, then wait 15 minutes."),
        1: _l("One more try, then wait 15 minutes."),
        0: _l("That was the last try: wait 15 minutes."),
    }
    return warnings.get(tries_left, "") if tries_left is not None else ""


class UsernameTakenError(AccountError):
    """Another account has this username, in this or another spelling of its case."""

    status = 409
    code = "username_taken"
    detail = _l("That username is taken. Try another, or log in if it is yours.")

    def __init__(self) -> None:
        super().__init__({"username": [self.detail]})


class EmailTakenError(AccountError):
    """Another account has this e-mail, in this or another spelling of its case."""

    status = 409
    code = "email_taken"
    detail = _l("That e-mail already has an account. Log in, or use another e-mail.")

    def __init__(self) -> None:
        super().__init__({"email": [self.detail]})


class InvalidCredentialsError(AccountError):
    """No such account, a wrong password or a disabled account: one answer for all three."""

    status = 401
    code = "invalid_credentials"
    detail = _l("Invalid credentials")
    page_detail = _l("That username and password do not match. Check both and try again.")

    def __init__(self, tries_left: int | None = None) -> None:
        super().__init__()
        self.advice = _warning(tries_left)


class WrongPasswordError(AccountError):
    """The current password is wrong, or missing where it is required."""

    status = 403
    code = "wrong_password"
    detail = _l("That is not your current password. Try again.")

    def __init__(self, tries_left: int | None = None) -> None:
        super().__init__({"current_password": [self.detail]})
        self.advice = _warning(tries_left)


class NotFoundError(AccountError):
    """The resource does not exist, or belongs to another account."""

    status = 404
    code = "not_found"
    detail = _l("There is nothing here by that name.")


class ServiceUnavailableError(AccountError):
    """The service cannot answer now; `retry_after` says when to try again."""

    status = 503
    code = "service_unavailable"


class BusyError(ServiceUnavailableError):
    """More passwords wait to be hashed than can be hashed within seconds."""

    detail = _l("Many people are logging in just now. Try again in a few seconds.")
    retry_after = 2


class TooManyRequestsError(AccountError):
    """A rate limit is exceeded; `retry_after` is the time until its window ends, in seconds.

    Attributes:
        clock_detail: the sentence of a page that knows the reader's clock; `{time}` stands for when
            to try again.

    """

    status = 429
    code = "too_many_requests"

    def __init__(self, retry_after: int, *, of_passwords: bool = False) -> None:
        minutes = -(-retry_after // 60)
        self.detail = _ln(
            "That was too often. Wait a minute, then try again.",
            "That was too often. Wait %(num)s minutes, then try again.",
            minutes,
        )
        self.clock_detail = _l("That was too often. Try again at {time}.")
        if of_passwords:
            self.page_detail = _ln(
                "Too many wrong passwords. Try again in a minute.",
                "Too many wrong passwords. Try again in %(num)s minutes.",
                minutes,
            )
            self.clock_detail = _l("Too many wrong passwords. Try again at {time}.")
        self.retry_after = retry_after
        super().__init__()


class RevocationUnknownError(ServiceUnavailableError):
    """The list of revoked sessions is too old to trust, since the database is unreachable."""

    detail = _l("The service cannot check your login just now. Try again in a few seconds.")
    retry_after = 5


class TokenError(AccountError):
    """A token that is missing or not accepted."""

    status = 401


class TokenMissingError(TokenError):
    """No token was sent where one is required."""

    code = "token_missing"
    detail = _l("This needs an access token: send it as Authorization: Bearer <token>.")
    page_detail = _l("Log in to go on.")


class TokenInvalidError(TokenError):
    """The token is malformed, or this service did not sign it."""

    code = "token_invalid"
    detail = _l("This is not a token of this service. Copy it whole, or log in for a new one.")


class TokenExpiredError(TokenError):
    """The token has expired."""

    code = "token_expired"
    detail = _l("This token has expired. Refresh it, or log in for a new one.")


class TokenWrongTypeError(TokenInvalidError):
    """An access token where a refresh token is required, or the reverse."""

    detail = _l("This token is of the other kind: access and refresh tokens are not exchangeable.")

    @classmethod
    def refresh_for_access(cls) -> Self:
        """The refusal of a refresh token where an access token is required."""
        error = cls()
        error.detail = _l("This is a refresh token. Send the access token instead.")
        error.page_detail = _l(
            "This is your refresh token. Paste the access token: the first of the two."
        )
        return error


class TokenRevokedError(TokenError):
    """The session of the token has ended."""

    code = "token_revoked"
    detail = _l("This token's login has ended. Log in for a new one.")


class ValidationError(AccountError):
    """Fields break the field rules."""

    status = 400
    code = "validation_error"
    detail = _l("Some fields need another value.")


class FormOutdatedError(AccountError):
    """A page's form whose CSRF token is missing, or is not one of this browser's session."""

    status = 400
    code = "csrf_failed"
    detail = _l("You logged in or out in another tab meanwhile. Check the form and send it again.")


class IdentityTakenError(AccountError):
    """The external identity belongs to another account."""

    status = 409
    code = "identity_taken"
    detail = _l(
        "The external account is connected to another account here. Disconnect it there first."
    )


class ReauthenticationRequiredError(AccountError):
    """The change needs a proof of the person from the last 10 minutes."""

    status = 403
    code = "reauthentication_required"
    detail = _l("Confirm first that it is you: give your password, or log in again.")


class SessionRefusedError(Exception):
    """The account changed while the login was in progress; callers translate this error.

    Attributes:
        disabled: the account is disabled.

    """

    def __init__(self, *, disabled: bool) -> None:
        super().__init__("the account changed during the login")
        self.disabled = disabled


class PasswordSetError(AccountError):
    """The account has a password, so changing it needs the current one."""

    status = 409
    code = "password_set"
    detail = _l("Your account has a password already. Change it with the current one.")


class InvalidGrantError(AccountError):
    """The one-time code is unknown, used or expired, or the verifier is another one."""

    status = 400
    code = "invalid_grant"
    detail = _l("This code is not good, or not good any more. Start the login again.")


class UnknownCodeError(InvalidGrantError):
    """The one-time code is not in the table: made up, or used before."""


class ProofRefusedError(UnknownCodeError):
    """The link or code of a mail is wrong, used, expired or tried too often."""

    detail = _l("This link or code is wrong, used or expired. Ask for a new mail.")


class EmailUnverifiedError(AccountError):
    """The account may log in by password only once its e-mail is proven.

    Attributes:
        user_id: the account, whose password was right.
        epoch: its `auth_epoch`.

    """

    status = 403
    code = "email_unverified"
    detail = _l("Confirm your e-mail first: open the mail that we sent you, or ask for a new one.")

    def __init__(self, user_id: int, epoch: int) -> None:
        super().__init__()
        self.user_id, self.epoch = user_id, epoch


class AlreadyVerifiedError(AccountError):
    """The e-mail is proven already, so that no mail is needed."""

    status = 409
    code = "already_verified"
    detail = _l("Your e-mail is confirmed already.")


class FrontEndRefusedError(AccountError):
    """The settings do not know the front end that asks for a login, or it asks in another way."""

    status = 400
    code = "bad_request"
    detail = _l("redirect_uri is not among the CLIENT_REDIRECT_URLS of this service.")

    @classmethod
    def saying(cls, detail: str) -> Self:
        """The refusal of what is wrong beside the address."""
        error = cls()
        error.detail = detail
        return error


class RegistrationClosedError(AccountError):
    """REGISTRATION=closed: only the command line creates accounts."""

    status = 403
    code = "registration_closed"
    detail = _l("New accounts are not open here. Ask whoever runs this service for one.")
