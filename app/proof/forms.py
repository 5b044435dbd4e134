"""The forms with which a person confirms a change."""

from __future__ import annotations

from collections.abc import Mapping

from wtforms import PasswordField, StringField

from app.core.errors import ValidationError
from app.core.proofs import CODE_LETTERS
from app.text import _l, lookup_key, without_spaces
from app.web.forms import BaseForm


def current_password_field() -> PasswordField:
    """A field for the password that the account has."""
    return PasswordField(
        _l("Current password"),
        render_kw={
            "autocomplete": "current-password",
            "required": True,
            "data-missing": _l("Enter your current password."),
        },
    )


def code_field() -> StringField:
    """A field for the code of a mail."""
    return StringField(
        _l("Code"),
        description=_l("8 letters. Capitals, spaces and the dash do not matter."),
        filters=[without_spaces],
        render_kw={
            "class": "code",
            "autocapitalize": "characters",
            "autocomplete": "one-time-code",
            "spellcheck": "false",
            "required": True,
            "minlength": CODE_LETTERS,
            "data-trim": True,
            "data-missing": _l("Enter the code of the mail."),
            "data-short": _l("That is short: a code has %(count)s letters.", count=CODE_LETTERS),
        },
    )


class CodeForm(BaseForm):
    """The code of a mail, in place of a password."""

    code = code_field()


class ConfirmationForm(BaseForm):
    """The password once more, before something that cannot be undone."""

    current_password = current_password_field()


class DeletionForm(ConfirmationForm):
    """The second step of deleting an account: its username, typed by hand, and the password.

    Attributes:
        own_username: the username of the account.

    """

    username = StringField(
        _l("Your username"),
        render_kw={
            "autocapitalize": "none",
            "autocomplete": "off",
            "required": True,
            "spellcheck": "false",
            "data-missing": _l("Type your username."),
        },
    )
    optional = frozenset({"username"})
    own_username = ""

    def check_together(self, values: Mapping[str, str]) -> None:
        """Refuse another name than that of the account; the page always sends one."""
        typed = values.get("username", self.own_username)
        if lookup_key(typed.strip()) != lookup_key(self.own_username):
            message = _l("Type %(username)s here.", username=self.own_username)
            raise ValidationError({"username": [message]})

    def password(self) -> str:
        """The password that was sent."""
        return self.values()["current_password"]


class RecentProofForm(BaseForm):
    """The password, where the last proof of the person is too old."""

    current_password = current_password_field()
    optional = frozenset({"current_password"})

    def password(self) -> str | None:
        """The password that was sent, or None."""
        return self.values().get("current_password")
