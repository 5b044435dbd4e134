"""The forms that tokens are sent with."""

from __future__ import annotations

from collections.abc import Mapping

from wtforms import StringField, TextAreaField

from app.core.errors import ValidationError
from app.text import _l
from app.web.forms import BaseForm


class LogoutForm(BaseForm):
    """The refresh token of the session to end, under either of its names."""

    refresh_token = StringField(_l("Refresh token"))
    refresh = StringField(_l("Refresh token"))
    optional = frozenset({"refresh_token", "refresh"})

    def check_together(self, values: Mapping[str, str]) -> None:
        """Refuse a form without a token."""
        if not values:
            missing = _l("This field is required.")
            raise ValidationError({"refresh": [missing], "refresh_token": [missing]})

    def token(self) -> str:
        """The token that was sent."""
        values = self.values()
        return values.get("refresh_token") or values["refresh"]


class TokenForm(BaseForm):
    """A token that a person pastes."""

    token = TextAreaField(
        _l("Access token"),
        description=_l("Paste the token that logging in gave you."),
        render_kw={
            "autocapitalize": "none",
            "autocomplete": "off",
            "class": "mono",
            "required": True,
            "rows": 6,
            "spellcheck": "false",
            "data-missing": _l("Paste an access token."),
        },
    )
