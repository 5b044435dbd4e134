"""The page of the API, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import Server, missing


@pytest.fixture
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [360, 1400])
def test_every_call_can_be_tried_with_nothing_from_elsewhere(
    serve: Callable[..., AbstractContextManager[Server]],
    sqlite_url: str,
    chromium: Browser,
    width: int,
) -> None:
    complaints, asked = [], []
    with serve(sqlite_url, WORKERS="1") as server:
        # Another name than that in PUBLIC_URL, as people type it.
        here = server.url.replace("127.0.0.1", "localhost")
        page = chromium.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda sent: asked.append((sent.method, sent.url, sent.headers)))
        page.goto(f"{here}/docs")
        call = page.locator("#operations-Start_here-register")
        call.locator(".opblock-summary-control").click()
        call.locator(".try-out__btn").click()
        call.locator(".execute").click()
        answer = call.locator(".live-responses-table .response")
        answer.wait_for()
        assert answer.locator(".response-col_status").inner_text().startswith("201")
        assert "User registered successfully" in answer.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()
    ((_, url, headers),) = [sent for sent in asked if sent[0] == "POST"]
    assert (url, headers["accept"]) == (f"{here}/register", "application/json")
    assert all(url.startswith((f"{here}/", "data:")) for _, url, _ in asked)
    assert not complaints
