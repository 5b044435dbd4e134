"""The field rules, stated once, and the one reader for urlencoded, multipart and JSON bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import parse_qsl

from email_validator import EmailNotValidError, validate_email
from flask import request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from wtforms import Field, Form, PasswordField, StringField, TextAreaField
from wtforms.validators import StopValidation

from app.accounts import passwords
from app.accounts.errors import AccountError, ValidationError
from app.database import release_connection
from app.negotiation import is_browser

MAX_BODY_BYTES = 64 * 1024
MAX_FIELDS = 100
MAX_EMAIL = 120
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,78}[A-Za-z0-9]")
PASSWORD_HINT = "At least 8 characters. A short sentence works well."
_ABSENT = object()


def check_username(_form: Form, field: Field) -> None:
    """Refuse a username outside the rule; uniqueness is the database's to decide."""
    if not _USERNAME.fullmatch(field.data):
        raise StopValidation(
            "Use 3 to 80 letters, digits, dots, underscores or hyphens, "
            "beginning and ending with a letter or digit."
        )


def check_email(_form: Form, field: Field) -> None:
    """Refuse an e-mail that is not valid, and bring its domain into one spelling, in ASCII."""
    if len(field.data) > MAX_EMAIL:  # first, since looking at a long one takes long
        raise StopValidation(f"Use an e-mail of at most {MAX_EMAIL} characters.")
    try:
        result = validate_email(
            field.data, check_deliverability=False, allow_smtputf8=False, strict=True
        )
    except EmailNotValidError as error:
        raise StopValidation(str(error)) from None
    if not field.data.isascii():
        raise StopValidation("Write the e-mail with plain letters, without accents.")
    field.data = result.ascii_email


def valid_email(text: str) -> str | None:
    """An e-mail from elsewhere as the rule writes it, or None where it breaks the rule."""
    form = fill(EmailForm, {"email": text})
    return None if form.errors else form.values()["email"]


def check_new_password(form: Form, field: Field) -> None:
    """Refuse a password that is too short, too long or too easy to guess."""
    own_words = [form[name].data or "" for name in ("username", "email") if name in form]
    # Asked once the body is there, so that no connection waits for it.
    own_words += getattr(form, "own_words", tuple)()
    message = passwords.weakness(field.data, own_words=own_words)
    if message:
        raise StopValidation(message)


class Fields(FlaskForm):  # type: ignore[misc]
    """A form whose fields are all required but those named in `optional`."""

    class Meta:
        """Cross-site request forgery is refused for all forms at once, in `create_app`."""

        csrf = False

    optional: ClassVar[frozenset[str]] = frozenset()

    def values(self) -> dict[str, str]:
        """What was sent, by field name, if every rule holds.

        Raises:
            ValidationError: with the messages of every field at fault.

        """
        if self.errors:
            raise ValidationError(self.errors)
        return {name: field.data for name, field in self._fields.items() if field.data is not None}

    def show(self, error: AccountError) -> None:
        """Put a refusal where the page shows it: beside its fields, or above them all."""
        for name, messages in error.errors.items():
            if name in self:
                self[name].errors = [*messages, error.advice] if error.advice else messages
        if not error.errors:
            self.form_errors = [f"{error.detail}. {error.advice}" if error.advice else error.detail]


class RegistrationForm(Fields):
    """A new account."""

    username = StringField(
        "Username",
        [check_username],
        description="3 to 80 letters, digits, dots, underscores or hyphens.",
    )
    email = StringField("E-mail", [check_email], description="For example, you@example.com.")
    password = PasswordField("Password", [check_new_password], description=PASSWORD_HINT)


class EmailForm(Fields):
    """An e-mail."""

    email = RegistrationForm.email


class UsernameForm(Fields):
    """A username."""

    username = RegistrationForm.username


class FirstVisitForm(Fields):
    """What an account made at a provider still needs from the person."""

    username = RegistrationForm.username
    email = RegistrationForm.email


class FirstPasswordForm(Fields):
    """A password where there was none; `own_words` gives the person's username and e-mail."""

    new_password = PasswordField("New password", [check_new_password], description=PASSWORD_HINT)
    own_words: Callable[[], Sequence[str]] = staticmethod(tuple)


class SocialCodeForm(Fields):
    """A one-time code and the verifier that it is bound to."""

    code = StringField("Code")
    code_verifier = StringField("Code verifier")


class LoginForm(Fields):
    """Who somebody claims to be."""

    username = StringField("Username or e-mail")
    password = PasswordField("Password")


class ProfileForm(Fields):
    """Another username, another e-mail or both, confirmed with the password."""

    username = RegistrationForm.username
    email = RegistrationForm.email
    current_password = PasswordField("Current password")
    optional = frozenset({"username", "email"})

    def values(self) -> dict[str, str]:
        """What was sent, which must be at least one thing to change."""
        values = super().values()
        if values.keys() == {"current_password"}:
            raise ValidationError({"non_field_errors": ["Send a username, an email or both."]})
        return values


class PasswordForm(Fields):
    """Another password; `own_words` gives the person's username and e-mail."""

    current_password = PasswordField("Current password")
    new_password = PasswordField("New password", [check_new_password], description=PASSWORD_HINT)
    own_words: Callable[[], Sequence[str]] = staticmethod(tuple)


class NewPasswordForm(Fields):
    """A password that an operator sets; `own_words` gives the person's username and e-mail."""

    password = PasswordField("Password", [check_new_password])
    own_words: Callable[[], Sequence[str]] = staticmethod(tuple)


class ConfirmationForm(Fields):
    """The password once more, before something that cannot be undone."""

    current_password = PasswordField("Current password")


class RecentProofForm(Fields):
    """The password, where the last proof of the person is too old."""

    current_password = PasswordField("Current password")
    optional = frozenset({"current_password"})

    def password(self) -> str | None:
        """The password that was sent, or None."""
        return self.values().get("current_password")


class RefreshForm(Fields):
    """A refresh token to exchange."""

    refresh = StringField("Refresh token")


class VerifyForm(Fields):
    """A token of either kind to judge."""

    token = StringField("Token")


class LogoutForm(Fields):
    """The refresh token of the session to end, under either of its names."""

    refresh_token = StringField("Refresh token")
    refresh = StringField("Refresh token")
    optional = frozenset({"refresh_token", "refresh"})

    def token(self) -> str:
        """The token that was sent.

        Raises:
            ValidationError: there is none.

        """
        values = self.values()
        token = values.get("refresh_token") or values.get("refresh")
        if token is None:
            raise ValidationError({"refresh_token": ["This field is required."]})
        return token


class TokenForm(Fields):
    """A token that a person pastes."""

    token = TextAreaField("Access token", description="Paste the token that logging in gave you.")


F = TypeVar("F", bound=Fields)


def read(form_class: type[F], **attributes: Any) -> F:
    """Fill a form from the request's body, whatever of the three forms the body has.

    Only strings get in. The form comes back with its errors; `values` raises them.

    Args:
        form_class: which fields are declared; others are ignored.
        attributes: set on the form before its rules are asked.

    Raises:
        BadRequest: the body is broken, or names a declared field twice.
        UnsupportedMediaType: the body is of another kind.
        RequestEntityTooLarge: the body is larger than 64 KiB, or has too many parts.

    """
    release_connection()  # a body may take seconds to arrive
    return fill(form_class, _body(), for_person=is_browser(), **attributes)


def fill(
    form_class: type[F], body: Mapping[str, Any], *, for_person: bool = False, **attributes: Any
) -> F:
    """Fill a form from values by name; messages are for a person or for a program."""
    form = form_class(formdata=None)
    for name, value in attributes.items():
        setattr(form, name, value)
    faults = {}
    sent = MultiDict[str, str]()
    for name, field in form._fields.items():
        value = body.get(name, _ABSENT)
        fault = _fault(value, optional=name in form.optional)
        if for_person and (value == "" or (value is _ABSENT and name not in form.optional)):
            fault = f"Enter your {field.label.text[:1].lower()}{field.label.text[1:]}."
        if fault:
            faults[name] = [fault]
        elif name in body:
            sent[name] = body[name]
    form.process(sent)
    _validate(form, sent)
    for name, messages in faults.items():
        form[name].errors = messages
    for name, value in body.items():  # what was typed stays in the page's form
        if name in faults and isinstance(value, str):
            form[name].data = value
    return form


def _validate(form: Fields, sent: Iterable[str]) -> None:
    """Ask each field that was sent; the others keep no value at all."""
    for name, field in form._fields.items():
        if name in sent:
            field.validate(form)
        else:
            field.data = None


def _fault(value: object, *, optional: bool) -> str | None:
    """Why a value is no string to speak of, in SimpleJWT's words."""
    if value is _ABSENT:
        return None if optional else "This field is required."
    if value is None:
        return "This field may not be null."
    if not isinstance(value, str) or not _encodable(value):
        return "Not a valid string."
    if value == "":
        return "This field may not be blank."
    if "\0" in value:
        return "Null characters are not allowed."
    return None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _body() -> Mapping[str, Any]:
    kind = request.mimetype
    if kind == "multipart/form-data":
        return _multipart()
    raw = request.get_data(cache=True)
    if kind == "application/x-www-form-urlencoded" or (not kind and not raw):
        return _urlencoded(raw)
    if kind == "application/json":
        return _json(raw)
    raise UnsupportedMediaType(f'Unsupported media type "{kind}" in request.')


def _urlencoded(raw: bytes) -> Mapping[str, Any]:
    try:
        pairs = parse_qsl(
            raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise BadRequest("The form is not valid UTF-8, or has too many fields.") from None
    return _unique(pairs)


def _multipart() -> Mapping[str, Any]:
    pairs = [*request.form.items(multi=True), *request.files.items(multi=True)]
    if any(isinstance(value, str) and "\N{REPLACEMENT CHARACTER}" in value for _, value in pairs):
        raise BadRequest("The multipart form is not valid UTF-8.")
    return _unique(pairs)


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise BadRequest("JSON parse error - the body is not valid JSON in UTF-8.") from None
    if not isinstance(body, dict):
        kind = type(body).__name__
        message = f"Invalid data. Expected a dictionary, but got {kind}."
        raise ValidationError({"non_field_errors": [message]})
    return cast("dict[str, Any]", body)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise BadRequest("A field was sent twice. Send each field once.")
        values[name] = value
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
