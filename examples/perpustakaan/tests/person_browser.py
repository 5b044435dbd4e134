"""A person's browser without JavaScript: it keeps cookies, and sends the forms of pages."""

from __future__ import annotations

import html
import re
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from conftest import PASSWORD
from flask import Flask
from werkzeug.test import TestResponse


class PersonBrowser:
    """One browser, with the library's pages and those of loguserapp."""

    def __init__(self, app: Flask, language: str = "en") -> None:
        self.client = app.test_client()
        self.url: str = app.config["APP_URL"]
        self._prefix = urlsplit(self.url).path
        self._headers = {"Accept-Language": language}
        self.page = "/"  # the path of the page that was opened last
        self.at_service = requests.Session()
        self.at_service.headers["Accept"] = "text/html"

    def get(self, path: str) -> TestResponse:
        answer = self.client.get(self._prefix + path, headers=self._headers)
        self.page = path if answer.status_code == 200 else self.page
        return answer

    def post(self, path: str, /, **fields: object) -> TestResponse:
        """Send a form of the page that was opened last, with its CSRF token."""
        token = {"csrf_token": csrf_token(self.get(self.page).text)}
        headers = self._headers | {"Referer": self.url + self.page}
        return self.client.post(self._prefix + path, data=token | fields, headers=headers)

    def follow(self, answer: TestResponse) -> TestResponse:
        """Open the page to which an answer leads."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.location.removeprefix(self._prefix))

    def log_in(self, username: str, then: str = "/") -> TestResponse:
        """Log in at loguserapp as far as the answer of the library to the code."""
        return self.get(self.code_path(username, then))

    def code_path(self, username: str, then: str = "/") -> str:
        """Log in at loguserapp; the path of the library to which it leads back, with a code."""
        began = self.get(f"/login?{urlencode({'next': then})}")
        assert began.status_code == 303, began.text
        page = self.at_service.get(began.location, timeout=10)
        assert page.status_code == 200, page.text
        if 'name="password"' in page.text:
            fields = {"username": username, "password": PASSWORD}
        else:
            fields = {}  # logged in there already: one button
        action = html.unescape(re.findall(r'<form action="([^"]*)"', page.text)[-1])
        hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        fields = {name: html.unescape(value) for name, value in hidden} | fields
        address = urljoin(page.url, action)
        answer = self.at_service.post(address, data=fields, allow_redirects=False, timeout=10)
        while not answer.headers.get("Location", "").startswith(f"{self.url}/callback"):
            assert answer.is_redirect, answer.text
            address = urljoin(answer.url, answer.headers["Location"])
            answer = self.at_service.get(address, allow_redirects=False, timeout=10)
        return answer.headers["Location"].removeprefix(self.url)

    def cookie(self, name: str) -> str:
        found = self.client.get_cookie(name, path=self._prefix or "/")
        return found.value if found else ""

    def set_cookie(self, name: str, value: str) -> None:
        self.client.set_cookie(name, value, path=self._prefix or "/")

    def is_logged_in(self) -> bool:
        return 'action="/logout"' in self.get("/").text


def csrf_token(page: str) -> str:
    """The token of the forms of a page."""
    return html.unescape(re.findall(r'name="csrf_token" value="([^"]+)"', page)[0])
