"""The page of docs/connect runs as it stands there, on an origin of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.examples.conftest import Service
from tests.support.application import DUMMY
from tests.support.environment import ROOT

pytestmark = pytest.mark.examples

ADDRESS = '"http://127.0.0.1:5000"'


def documented(service: str) -> str:
    text = (ROOT / "docs" / "connect" / "README.md").read_text(encoding="utf-8")
    (page,) = re.findall(r"^```html\n(.+?)^```", text, re.MULTILINE | re.DOTALL)
    assert page.count(ADDRESS) == 1
    return str(page).replace(ADDRESS, f'"{service}"')


@contextmanager
def serving(page: dict[str, str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.partition("?")[0] == "/"
            self.send_response_only(200 if found else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page["html"].encode() if found else b"")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_page_of_scripts_alone_logs_in_refreshes_and_logs_out(
    make_service: Callable[..., Service], chromium: Browser
) -> None:
    page_served = {"html": ""}
    with serving(page_served) as origin, chromium.new_context() as context:
        service = make_service("browser-only", CLIENT_REDIRECT_URLS=f"{origin}/")
        page_served["html"] = documented(service.url)
        visited: list[str] = []
        seen: list[str] = []  # of these the list above is emptied
        context.on("request", lambda request: seen.append(request.url))
        context.on("request", lambda request: visited.append(request.url))
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))

        page.goto(f"{origin}/")
        expect(page.locator("#who")).to_have_text("Logged out")
        page.click("#login")
        page.fill("[name=username]", DUMMY["username"])
        page.fill("[name=password]", DUMMY["password"])
        page.keyboard.press("Enter")
        expect(page.locator("#who")).to_have_text(f"Logged in as {DUMMY['username']}")
        assert page.url == f"{origin}/"
        page.reload()
        expect(page.locator("#who")).to_have_text(f"Logged in as {DUMMY['username']}")

        # Several tabs that find the access token expired take one new pair together.
        tabs = [page, *(context.new_page() for _ in range(3))]
        for _ in range(5):
            page.evaluate(
                "localStorage.setItem('tokens', JSON.stringify("
                "{...JSON.parse(localStorage.getItem('tokens')), access: 'expired'}))"
            )
            visited.clear()
            for tab in tabs:
                tab.goto(f"{origin}/", wait_until="commit")
            for tab in tabs:
                expect(tab.locator("#who")).to_have_text(f"Logged in as {DUMMY['username']}")
            assert sum("token/refresh" in url for url in visited) == 1

        # A later login costs one press, and a logout in one tab is one in all.
        page.click("#logout")
        expect(page.locator("#who")).to_have_text("Logged out")
        tabs[1].reload()
        expect(tabs[1].locator("#who")).to_have_text("Logged out")
        page.click("#login")
        page.locator("main button, main a.button").first.click()
        expect(page.locator("#who")).to_have_text(f"Logged in as {DUMMY['username']}")
        assert errors == []
        assert not [url for url in seen if "eyJ" in url]
