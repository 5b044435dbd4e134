"""Static text files are compressed for clients that ask for it; pages are not."""

from __future__ import annotations

import gzip

from flask import Flask
from flask.testing import FlaskClient

from tests.support.application import BROWSER, DUMMY
from tests.support.browsing import Browser
from tests.support.environment import ROOT

STYLE = "/static/style.css"
GZIP = {"Accept-Encoding": "gzip"}


def test_a_static_text_file_is_compressed_for_who_accepts_it(client: FlaskClient) -> None:
    """D11: the page of the API weighed 2 MB under `make run`."""
    content = (ROOT / "app" / "static" / "style.css").read_bytes()
    with client.get(STYLE, headers=GZIP) as small, client.get(STYLE) as whole:
        assert small.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(small.data) == content == whole.data
        assert len(small.data) == int(small.headers["Content-Length"]) < len(content) / 2
        assert "Content-Encoding" not in whole.headers
        assert small.headers["ETag"] != whole.headers["ETag"]
        assert "Accept-Encoding" in small.vary
        assert "Accept-Encoding" in whole.vary
        again = GZIP | {"If-None-Match": small.headers["ETag"]}
        assert client.get(STYLE, headers=again).status_code == 304


def test_a_page_is_not_compressed(client: FlaskClient) -> None:
    assert "Content-Encoding" not in client.get("/", headers=BROWSER | GZIP).headers


def test_the_long_page_is_for_who_is_not_logged_in(app: Flask, dummy: dict[str, str]) -> None:
    client = app.test_client()
    small, whole = (client.get("/docs", headers=BROWSER | extra) for extra in (GZIP, {}))
    assert gzip.decompress(small.data) == whole.data
    assert len(small.data) < len(whole.data) / 3
    browser = Browser(app)
    browser.post("/login", **DUMMY)
    # It has a token then.
    assert "Content-Encoding" not in browser.send("GET", "/docs", headers=BROWSER | GZIP).headers
