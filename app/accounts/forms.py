"""The form fields of accounts: validators, and the attributes for browsers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wtforms import BooleanField, EmailField, Field, Form, PasswordField, StringField
from wtforms.validators import StopValidation

from app.accounts.email_rule import MAX_EMAIL, explain, normalized
from app.accounts.username_rule import (
    MAX_USERNAME,
    MIN_USERNAME,
    USERNAME_PATTERN,
    is_username,
)
from app.core.errors import ValidationError
from app.passwords.policy import MAX_BYTES, MIN_CHARACTERS, TOO_LONG, weakness
from app.proof.forms import code_field, current_password_field
from app.text import _l, without_spaces
from app.web.forms import BaseForm
from app.web.i18n import LANGUAGES, for_english_program

# What stays as typed: a phone's keyboard neither capitalizes nor corrects the text.
_VERBATIM = {"autocapitalize": "none", "spellcheck": "false"}
# How a field finds the account: by either name.
NAME_ATTRIBUTES = {
    **_VERBATIM,
    "autocomplete": "username",
    "required": True,
    "data-trim": True,  # before it is looked at in the browser, as `without_spaces` does here
}
# As the browser asks.
AUTOMATIC = "auto"
PASSWORD_ATTRIBUTES = {"autocomplete": "current-password", "required": True}
# What a browser can tell of an e-mail; it accepts "x@y" by itself.
_EMAIL_PATTERN = r"[^@\s]+@[^@\s]+\.[^@\s]+"


def check_username(_form: Form, field: Field) -> None:
    """Refuse an invalid username; the database decides about uniqueness."""
    if not is_username(field.data):
        raise StopValidation(
            _l(
                "Use %(least)s to %(most)s letters, digits, dots, underscores or hyphens, "
                "beginning and ending with a letter or digit.",
                least=MIN_USERNAME,
                most=MAX_USERNAME,
            )
        )


def check_email(_form: Form, field: Field) -> None:
    """Refuse an invalid e-mail, and normalize its domain to ASCII."""
    try:
        field.data = normalized(field.data)
    except ValueError as error:
        shown = str(error) if for_english_program() else explain(str(error))
        raise StopValidation(shown) from None


def check_new_password(form: Form, field: Field) -> None:
    """Refuse a password that is too short, too long or too easy to guess."""
    own_words = [form[name].data or "" for name in ("username", "email") if name in form]
    # Asked once the body is there, so that no connection waits for it.
    own_words += getattr(form, "own_words", tuple)()
    message = weakness(field.data, own_words=own_words)
    if message:
        raise StopValidation(message)


def new_password_field(label: str, missing: str) -> PasswordField:
    """A field for a password to set.

    Args:
        label: what it is called.
        missing: what a person reads who leaves it empty.

    """
    return PasswordField(
        label,
        [check_new_password],
        description=_l(
            "At least %(least)s characters. A short sentence works well.", least=MIN_CHARACTERS
        ),
        render_kw={
            "autocomplete": "new-password",
            "required": True,
            "minlength": MIN_CHARACTERS,
            "data-maxbytes": MAX_BYTES,
            "data-strength": "/password/strength",  # where strength.js asks
            "data-missing": missing,
            "data-short": _l(
                "That is short: use at least %(least)s characters.", least=MIN_CHARACTERS
            ),
            "data-long": TOO_LONG,
        },
    )


class RegistrationForm(BaseForm):
    """A new account."""

    username = StringField(
        _l("Username"),
        [check_username],
        filters=[without_spaces],
        description=_l(
            "%(least)s to %(most)s letters, digits, dots, underscores or hyphens.",
            least=MIN_USERNAME,
            most=MAX_USERNAME,
        ),
        render_kw={
            **NAME_ATTRIBUTES,
            "minlength": MIN_USERNAME,
            "data-maxbytes": MAX_USERNAME,
            "pattern": USERNAME_PATTERN,
            "data-missing": _l("Enter your username."),
            "data-short": _l(
                "That is short: use at least %(least)s characters.", least=MIN_USERNAME
            ),
            "data-mismatch": _l(
                "Use letters, digits and . _ - only, with a letter or digit at both ends."
            ),
            "data-long": _l("That is long: use at most %(most)s characters.", most=MAX_USERNAME),
        },
    )
    email = EmailField(
        _l("E-mail"),
        [check_email],
        filters=[without_spaces],
        description=_l("For example, you@example.com."),
        render_kw={
            **_VERBATIM,
            "autocomplete": "email",
            "inputmode": "email",
            "required": True,
            "data-maxbytes": MAX_EMAIL,
            "pattern": _EMAIL_PATTERN,
            "data-missing": _l("Enter your e-mail."),
            "data-mismatch": _l("Write it like name@example.com."),
            "data-long": _l("That is long: use at most %(most)s characters.", most=MAX_EMAIL),
        },
    )
    password = new_password_field(_l("Password"), _l("Enter your password."))


class FirstPasswordForm(BaseForm):
    """A first password; `own_words` gives the person's username and e-mail."""

    new_password = new_password_field(_l("New password"), _l("Enter your new password."))
    own_words: Callable[[], Sequence[str]] = staticmethod(tuple)


class LoginForm(BaseForm):
    """A username or e-mail, and a password."""

    username = StringField(
        _l("Username or e-mail"),
        filters=[without_spaces],
        render_kw=NAME_ATTRIBUTES | {"data-missing": _l("Enter your username or e-mail.")},
    )
    password = PasswordField(
        _l("Password"),
        render_kw=PASSWORD_ATTRIBUTES | {"data-missing": _l("Enter your password.")},
    )


class PageLoginForm(LoginForm):
    """The login of a person, whom the browser may keep logged in."""

    keep = BooleanField(_l("Keep me logged in"))
    optional = frozenset({"keep"})


class ProfileForm(BaseForm):
    """A new username, a new e-mail or both, confirmed with the password."""

    username = RegistrationForm.username
    email = RegistrationForm.email
    current_password = current_password_field()
    optional = frozenset({"username", "email"})

    def check_together(self, values: Mapping[str, str]) -> None:
        """Refuse a form that changes nothing."""
        if values.keys() == {"current_password"}:
            raise ValidationError({"non_field_errors": [_l("Send a username, an email or both.")]})


class LanguageForm(BaseForm):
    """The language of pages and mails: a code, or `AUTOMATIC`."""

    language = StringField(_l("Language"))

    def check_together(self, values: Mapping[str, str]) -> None:
        """Refuse a language that there is not."""
        if values["language"] not in (AUTOMATIC, *LANGUAGES):
            raise ValidationError({"language": [_l("Choose a language of the list.")]})

    def code(self) -> str | None:
        """The code that was sent; None: as the browser asks."""
        language = self.values()["language"]
        return None if language == AUTOMATIC else language


class PasswordForm(BaseForm):
    """A new password; `own_words` gives the person's username and e-mail."""

    current_password = current_password_field()
    new_password = new_password_field(_l("New password"), _l("Enter your new password."))
    own_words: Callable[[], Sequence[str]] = staticmethod(tuple)


class ForgotForm(BaseForm):
    """The e-mail of an account whose password is forgotten."""

    email = RegistrationForm.email


class ProofForm(BaseForm):
    """The token of a mail's link, or an e-mail and the code of the mail.

    Attributes:
        has_link: the browser's session has the token.

    """

    token = StringField()
    email = StringField(
        _l("E-mail"),
        filters=[without_spaces],
        render_kw={
            **_VERBATIM,
            "autocomplete": "email",
            "inputmode": "email",
            "required": True,
            "data-missing": _l("Enter your e-mail."),
        },
    )
    code = code_field()
    optional = frozenset({"token", "email", "code"})
    has_link = False

    def check_together(self, values: Mapping[str, str]) -> None:
        """Refuse a form that presents neither."""
        if self.has_link or "token" in values:
            return
        missing = [name for name in ("email", "code") if name not in values]
        if missing:
            required = _l("This field is required.")
            raise ValidationError({name: [required] for name in missing})


class ResetForm(ProofForm):
    """A proof, and the password to set, which a browser keeps beside the e-mail."""

    email = StringField(
        _l("E-mail"),
        filters=[without_spaces],
        render_kw=(ProofForm.email.kwargs["render_kw"] | {"autocomplete": "username"}),
    )
    new_password = new_password_field(_l("New password"), _l("Enter your new password."))


class UndoForm(BaseForm):
    """The token of a notice's link."""

    token = StringField()


class StrengthForm(BaseForm):
    """A password to judge, and what else is in its form: a guesser would try that first."""

    username = StringField(filters=[without_spaces])
    email = StringField(filters=[without_spaces])
    password = PasswordField()
    optional = frozenset({"username", "email"})


class NewPasswordForm(BaseForm):
    """A password that an operator sets; `own_words` gives the person's username and e-mail."""

    password = PasswordField("Password", [check_new_password])
    own_words: Callable[[], Sequence[str]] = staticmethod(tuple)
