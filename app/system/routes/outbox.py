"""/outbox: the mails of a service on one's own machine that has no mail server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.policy import default as default_policy
from pathlib import Path

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from app.web.browser import own_outbox
from app.web.marks import public
from app.web.negotiation import render_page

blueprint = Blueprint("outbox", __name__)
_LINK = re.compile(r"https?://\S+\?token=\S+")
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class ShownMail:
    """A mail of the folder; `link` is its first one, or None."""

    to: str
    subject: str
    sent_at: datetime
    text: str
    link: str | None


@blueprint.get("/outbox")
@public
def mails() -> Response:
    """List the mails, the latest first: whoever reads them here could read the files as well."""
    folder = own_outbox.shown_folder()
    if folder is None:
        raise NotFound
    mails = [_read(file) for file in folder.files()[:_SHOWN]]
    return render_page("system/outbox.html", mails=mails)


def _read(file: Path) -> ShownMail:
    message = message_from_bytes(file.read_bytes(), policy=default_policy)
    body = message.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    link = _LINK.search(text)
    return ShownMail(
        str(message["To"]),
        str(message["Subject"]),
        message["Date"].datetime.replace(tzinfo=None),
        text,
        link[0] if link else None,
    )
