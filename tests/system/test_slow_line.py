"""A page that comes in pieces, as over a slow line or to a busy browser, does not move."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.system.test_browser import server
from tests.system.test_pages import SETTLED, SHIFTS

pytestmark = pytest.mark.system
__all__ = ["server"]

# A piece ends behind these, where the half of a page looks other than the whole.
CUTS = ("<nav aria-label", "</h1>", '<footer class="site">', "</p>\n    <nav", "hreflang")
HALF_IS_THERE = "document.styleSheets[0]?.cssRules.length && document.querySelector('header.site')"
# Two frames, or as long as a busy browser needs for them; none may come before the page is whole.
FRAMES = """new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(done));
  setTimeout(done, 250);
})"""


class SlowLine(ThreadingHTTPServer):
    """A line to a service that holds the rest of each page back."""

    daemon_threads = True

    def __init__(self, service: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = urlsplit(service).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.cut = b""
        self.released = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: SlowLine

    def do_GET(self) -> None:
        with closing(http.client.HTTPConnection(self.server.service)) as service:
            service.request("GET", self.path, headers={"Accept": self.headers["Accept"]})
            answer = service.getresponse()
            body = answer.read()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Length"):
            self.send_header(name, answer.headers[name])
        self.end_headers()
        at = len(body)
        if answer.headers["Content-Type"].startswith("text/html"):
            at = body.index(self.server.cut) + len(self.server.cut)
        self.wfile.write(body[:at])
        self.wfile.flush()
        if at < len(body):
            assert self.server.released.wait(30)
            self.wfile.write(body[at:])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def line(server: Any) -> Iterator[SlowLine]:
    with SlowLine(server.url) as line:
        threading.Thread(target=line.serve_forever, daemon=True).start()
        yield line
        line.shutdown()


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("path", ["/", "/login", "/undo"])
def test_what_is_painted_stays_where_it_is(
    chromium: Browser, line: SlowLine, path: str, width: int
) -> None:
    found = []
    for cut in CUTS:
        line.cut = cut.encode()
        line.released.clear()
        page = chromium.new_page(base_url=line.url, viewport={"width": width, "height": 800})
        page.add_init_script(SHIFTS)
        page.goto(path, wait_until="commit")
        page.wait_for_function(HALF_IS_THERE, polling=20)
        page.evaluate(FRAMES)
        line.released.set()
        page.wait_for_load_state("load")
        found += [f"{cut}: {shift}" for shift in page.evaluate(SETTLED)]
        page.close()
    assert found == []
