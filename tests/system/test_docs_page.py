"""The page of the API, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Browser

from tests.support.servers import Server


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
        assert not [url for _, url, _ in asked if "swagger" in url], (
            "D11: it is loaded when asked for"
        )
        page.get_by_role("button", name="Try it").click()
        call = page.locator("#operations-Start_here-register")
        call.locator(".opblock-summary-control").click()
        call.locator(".execute").click()
        answer = call.locator(".live-responses-table .response")
        answer.wait_for()
        assert answer.locator(".response-col_status").inner_text().startswith("201")
        assert "User registered successfully" in answer.inner_text()
        # D12: the list of one server was wider than a phone.
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("main").count() - page.locator("main[role=group]").count() == 1
        page.get_by_role("button", name="Back to reading").click()
        page.get_by_role("heading", name="Overview").wait_for()
        page.close()
    ((_, url, headers),) = [sent for sent in asked if sent[0] == "POST"]
    assert (url, headers["accept"]) == (f"{here}/register", "application/json")
    assert all(url.startswith((f"{here}/", "data:")) for _, url, _ in asked)
    assert not complaints
