"""The outbox folder of a service on one's own machine, which its pages may show."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

from app.config import is_loopback, settings
from app.mail.transport import FolderTransport, transport

# What proxies tell of a client: with any of these the request comes from elsewhere.
_FORWARDING = (
    "Forwarded", "Via", "True-Client-", "X-Forwarded-", "X-Original-", "X-Real-", "X-Client-",
    "X-Cluster-", "Cf-",
)  # fmt: skip


def shown_folder() -> FolderTransport | None:
    """The folder, if nothing about the request can come from another machine.

    Returns:
        None: there is a mail server or a proxy, or the request may come from elsewhere.

    """
    found = transport()
    if not isinstance(found, FolderTransport) or not settings().shows_outbox:
        return None
    names = [name.title() for name, _ in request.headers]
    if any(name.startswith(_FORWARDING) for name in names):
        return None
    is_own = is_loopback(request.remote_addr) and is_loopback(_host_of_header())
    return found if is_own else None


def mail_state() -> str:
    """What becomes of mails: they are "sent", "shown" at /outbox, or "kept" in a folder."""
    if settings().smtp_host:
        return "sent"
    return "kept" if shown_folder() is None else "shown"


def _host_of_header() -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:
        return None
