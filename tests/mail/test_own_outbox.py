"""Where the mails of a service without a mail server can be read (CONTRACT section 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.application import BROWSER

SMTP = {"smtp_host": "127.0.0.1", "mail_from": "login@example.com"}
# From where a request may not come, by what is then otherwise.
ELSEWHERE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mail server": (SMTP, {}),
    "HOST": ({"host": "0.0.0.0"}, {}),
    "PUBLIC_URL": ({"public_url": "https://login.example.com"}, {}),
    "TRUSTED_PROXIES": ({"trusted_proxies": 1}, {}),
    "peer": ({}, {"environ_base": {"REMOTE_ADDR": "192.0.2.1"}}),
    "mapped peer": ({}, {"environ_base": {"REMOTE_ADDR": "::ffff:192.0.2.1"}}),
    "Host": ({}, {"base_url": "http://evil.example"}),
    "Host that begins well": ({}, {"base_url": "http://127.0.0.1.evil.example"}),
    "no Host": ({}, {"environ_overrides": {"HTTP_HOST": ""}}),
    "broken Host": ({}, {"environ_overrides": {"HTTP_HOST": "[::1"}}),
    "Forwarded": ({}, {"headers": {"Forwarded": "for=192.0.2.1"}}),
    "X-Forwarded-For": ({}, {"headers": {"X-Forwarded-For": "127.0.0.1"}}),
    "X-Forwarded-Host": ({}, {"headers": {"X-Forwarded-Host": "localhost"}}),
    "X-Real-IP": ({}, {"headers": {"X-Real-IP": ""}}),
    "Via": ({}, {"headers": {"Via": "1.1 proxy"}}),
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def get(app: Flask, path: str, request: dict[str, Any]) -> Any:
    options = {"base_url": "http://127.0.0.1:5000"} | request
    headers = BROWSER | options.pop("headers", {})
    return app.test_client().get(path, headers=headers, **options)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_outbox_is_shown_to_nobody_elsewhere_and_no_page_leads_there(
    make_app: Callable[..., Flask], name: str
) -> None:
    settings, request = ELSEWHERE[name]
    app = make_app(**settings)
    assert get(app, "/outbox", request).status_code == 404
    page = get(app, "/forgot", request).text
    assert "/outbox" not in page
    assert ("There is no mail server yet." in page) == ("smtp_host" not in settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_the_outbox_is_shown_on_ones_own_machine(app: Flask, host: str, peer: str) -> None:
    request = {"base_url": f"http://{host}:5000", "environ_base": {"REMOTE_ADDR": peer}}
    assert get(app, "/outbox", request).status_code == 200
    assert 'href="/outbox"' in get(app, "/forgot", request).text
