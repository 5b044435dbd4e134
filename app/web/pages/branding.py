"""The service as its operator named it: APP_NAME, APP_LOGO and SUPPORT_CONTACT on every page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, url_for
from markupsafe import Markup

from app.config import is_web_address, read_logo, settings
from app.services import Service
from app.web.pages.assets import fingerprint

LOGO_PATH = "/logo"
_EMAIL = re.compile(r"[^@\s<>?&:/]+@[^@\s<>?&:/]+\.[^@\s<>?&:/]+")


@dataclass(frozen=True, slots=True)
class Logo:
    """The picture of APP_LOGO, as it was when the service started."""

    content: bytes
    mimetype: str
    fingerprint: str

    @property
    def address(self) -> str:
        """Its path, which changes with it."""
        return f"{LOGO_PATH}?v={self.fingerprint}"


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask for help; in a template it is a link where it can be one.

    Attributes:
        text: what people read.
        href: where a link leads; empty for plain text such as a phone number.

    """

    text: str
    href: str

    def __html__(self) -> str:
        """The contact as HTML: a link, or escaped text."""
        if not self.href:
            return str(Markup.escape(self.text))
        return str(Markup('<a href="{}">{}</a>').format(self.href, self.text))


logo = Service[Logo | None]("logo")


def init_app(app: Flask) -> None:
    """Read the logo, and give the three to every template.

    They are `app_name`, `app_logo` (an address) and `support_contact` (a Contact, or None).

    Raises:
        ConfigError: the logo cannot be used.

    """
    config = settings.of(app)
    picture = _read(config.app_logo) if config.app_logo else None
    logo.bind(app, picture)
    fixed = {
        "app_name": config.app_name,
        "support_contact": contact(config.support_contact) if config.support_contact else None,
    }

    def context() -> dict[str, Any]:
        if picture:
            return fixed | {"app_logo": picture.address}
        return fixed | {"app_logo": url_for("static", filename="favicon.svg")}

    app.context_processor(context)


def contact(text: str) -> Contact:
    """Recognize an e-mail address or an address of the web; all else is text to read."""
    address = text.removeprefix("mailto:")
    if _EMAIL.fullmatch(address):
        return Contact(address, f"mailto:{address}")
    return Contact(text, text if is_web_address(text) else "")


def _read(path: Path) -> Logo:
    content, mimetype = read_logo(path)
    return Logo(content, mimetype, fingerprint(content))
