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


class WrongPasswordError(AccountError):
    """The signed-in person did not prove to know the current password."""

    code = "wrong_password"
    detail = "That is not your current password. Try again."

    def __init__(self) -> None:
        super().__init__({"current_password": [self.detail]})


class NotFoundError(AccountError):
    """The thing asked for is not there, or belongs to someone else."""

    code = "not_found"
    detail = "There is nothing here by that name."


class BusyError(AccountError):
    """More passwords wait to be checked than can be checked soon."""

    code = "service_unavailable"
    detail = "Many people are logging in just now. Try again in a few seconds."
    retry_after = 2


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
