"""E-mail validation, for typed addresses and those from providers."""

from __future__ import annotations

from typing import cast

from email_validator import validate_email

from app.text import _l

MAX_EMAIL = 120
_OTHER = _l("That is not a valid e-mail. Check it for missing or extra characters.")
# What to tell a person, and the parts of email-validator's messages that it stands for; the first
# that fits counts.
_SENTENCES = (
    (_l("An email address must have an @-sign."), ("must have an @-sign",)),
    (_l("Use the usual @ sign."), ("instead of a regular at-sign",)),
    (_l("Something is missing before the @."), ("something before the @-sign",)),
    (_l("Something is missing after the @."), ("something after the @-sign",)),
    (_l("The part after @ needs a dot, like example.com."), ("should have a period",)),
    (_l("Use an e-mail with plain letters (a to z) before the @."), ("Internationalized",)),
    (_l("Use an e-mail with plain letters (a to z)."), ("plain letters",)),
    (
        _l("That e-mail is too long. Check it, or use a shorter one."),
        ("of at most", "too long", "so many characters"),
    ),
    (_l("Write the part before @ without quotes."), ("Quoting",)),
    (_l("Two dots in a row cannot stand in an e-mail."), ("two periods in a row",)),
    (
        _l("A hyphen stands in the wrong place. Check the e-mail."),
        ("two dashes", "hyphen"),
    ),
    (_l("A dot stands in the wrong place. Check the e-mail."), ("period",)),
    (
        _l("That e-mail has a character that cannot be shown. Type it again."),
        ("unsafe characters", "an invalid character"),
    ),
    (
        _l("The part after @ cannot receive mail. Use another e-mail."),
        ("special-use", "top-level domain"),
    ),
    (_l("The part before @ has a character that an e-mail cannot have."), ("before the @-sign",)),
    (_l("The part after @ has a character that an e-mail cannot have."), ("after the @-sign",)),
)


def normalized(email: str) -> str:
    """An e-mail with its domain in one spelling, in ASCII.

    Raises:
        ValueError: it is not valid; the message says why, for a program (`explain` for a person).

    """
    if len(email) > MAX_EMAIL:  # first, because validating a long one is slow
        raise ValueError(f"Use an e-mail of at most {MAX_EMAIL} characters.")
    result = validate_email(email, check_deliverability=False, allow_smtputf8=False, strict=True)
    if not email.isascii():
        raise ValueError("Write the e-mail with plain letters, without accents.")
    return cast("str", result.ascii_email)


def explain(message: str) -> str:
    """What a message of `normalized` means for a person, in their language."""
    fitting = (said for said, parts in _SENTENCES if any(part in message for part in parts))
    return next(fitting, _OTHER)


def valid_email(email: str) -> str | None:
    """Return a normalized e-mail from a provider, or None if it is invalid."""
    try:
        return normalized(email)
    except ValueError:
        return None
