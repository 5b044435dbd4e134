"""The forms of provider logins."""

from __future__ import annotations

from wtforms import PasswordField, StringField

from app.accounts.forms import (
    NAME_ATTRIBUTES,
    PASSWORD_ATTRIBUTES,
    LoginForm,
    RegistrationForm,
)
from app.text import _l, without_spaces
from app.web.forms import BaseForm


class UsernameForm(BaseForm):
    """A username."""

    username = RegistrationForm.username


class FirstLoginForm(BaseForm):
    """The username and the e-mail of an account for which the provider gave no e-mail."""

    username = RegistrationForm.username
    email = RegistrationForm.email


class ConnectForm(LoginForm):
    """The login to the account that has the e-mail of an external identity."""

    username = StringField(
        _l("Username or e-mail"),
        filters=[without_spaces],
        render_kw=NAME_ATTRIBUTES
        | {"data-missing": _l("Enter the e-mail or username of that account.")},
    )
    password = PasswordField(
        _l("Password"),
        render_kw=PASSWORD_ATTRIBUTES | {"data-missing": _l("Enter its password.")},
    )


class SocialCodeForm(BaseForm):
    """A one-time code and its verifier (RFC 7636)."""

    code = StringField("Code")
    code_verifier = StringField("Code verifier")
