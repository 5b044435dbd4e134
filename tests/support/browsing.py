"""A person's browser without JavaScript: it keeps cookies and sends the forms of pages."""

from __future__ import annotations

import html
import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.application import BROWSER


class Browser:
    """One browser with its cookies."""

    def __init__(self, app: Flask, url: str = "http://127.0.0.1:5000") -> None:
        self._client = app.test_client()
        self._url = url

    def get(self, path: str) -> TestResponse:
        return self._client.get(path, headers=BROWSER, base_url=self._url)

    def csrf_token(self) -> str:
        """The token that a form of this browser carries."""
        page = self.get("/resource").text  # a page with a form, whoever asks
        (token, *_) = re.findall(r'name="csrf_token" value="([^"]+)"', page)
        return html.unescape(token)

    def signed_in(self) -> bool:
        return "/logout" in self.get("/").text

    def post(self, path: str, csrf_token: str | None = None, /, **fields: object) -> TestResponse:
        """Send a form with the page's own CSRF token, or with another."""
        fields["csrf_token"] = self.csrf_token() if csrf_token is None else csrf_token
        return self.send("POST", path, data=fields)

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send anything, with the browser's cookies and headers."""
        options = {"headers": BROWSER, "base_url": self._url} | options
        return self._client.open(path, method=method, **options)

    def cookie(self) -> str | None:
        """The value of the session's cookie."""
        for name in ("session", "__Host-session"):
            found = self._client.get_cookie(name, domain="127.0.0.1") or self._client.get_cookie(
                name, domain="login.example.com"
            )
            if found:
                return found.value
        return None
