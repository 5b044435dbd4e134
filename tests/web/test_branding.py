"""APP_NAME, APP_LOGO and SUPPORT_CONTACT: whose service the pages say that it is."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest
from flask import Flask, render_template_string

from app.config import MAX_LOGO_BYTES, ConfigError
from app.web.pages.branding import contact
from tests.support.application import BROWSER


def chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>'
PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    chunk(*part)
    for part in (
        (b"IHDR", pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0")),
        (b"IEND", b""),
    )
)
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0/\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"
LOGOS = [(SVG, "image/svg+xml"), (PNG, "image/png"), (WEBP, "image/webp")]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def test_the_name_stands_in_the_header_and_the_title(make_app: Callable[..., Flask]) -> None:
    client = make_app(app_name="Warung <Kopi>").test_client()
    page = client.get("/login", headers=BROWSER).text
    assert "<span>Warung &lt;Kopi&gt;</span>" in page
    assert "· Warung &lt;Kopi&gt;</title>" in page
    assert "loguserapp" not in re.sub(r'(href|src)="[^"]*"', "", page)


@pytest.mark.parametrize(("content", "mimetype"), LOGOS, ids=["svg", "png", "webp"])
def test_the_logo_is_served_for_good_under_its_fingerprint(
    make_app: Callable[..., Flask], tmp_path: Path, content: bytes, mimetype: str
) -> None:
    (tmp_path / "logo").write_bytes(content)
    client = make_app(app_logo=tmp_path / "logo").test_client()
    page = client.get("/login", headers=BROWSER).text
    (address,) = set(re.findall(r'(?:href|src)="(/logo[^"]*)"', page))
    (tmp_path / "logo").unlink()  # it was read at start
    answer = client.get(address, headers=BROWSER)
    assert (answer.data, answer.content_type) == (content, mimetype)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/logo?v=other").headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in answer.headers


def test_without_a_logo_it_is_the_cat(make_app: Callable[..., Flask]) -> None:
    client = make_app().test_client()
    assert "/static/favicon.svg?v=" in client.get("/login", headers=BROWSER).text
    with client.get("/logo") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"<html></html>", b"<svg>", b"<svg/>", SVG + b" " * MAX_LOGO_BYTES],
    ids=["empty", "gif", "html", "broken", "no namespace", "large"],
)
def test_a_file_that_is_no_logo_stops_the_start(
    make_app: Callable[..., Flask], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "logo.svg").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^APP_LOGO [^\n]+$"):
        make_app(app_logo=tmp_path / "logo.svg")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("help@example.com", '<a href="mailto:help@example.com">help@example.com</a>'),
        ("mailto:help@example.com", '<a href="mailto:help@example.com">help@example.com</a>'),
        ("https://wa.me/62812", '<a href="https://wa.me/62812">https://wa.me/62812</a>'),
        ("Rina, room <4>", "Rina, room &lt;4&gt;"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("https://user:password@example.com", "https://user:password@example.com"),
    ],
)
def test_a_contact_is_a_link_where_it_can_be_one(text: str, html: str) -> None:
    assert contact(text).__html__() == html


def test_every_template_knows_the_contact(make_app: Callable[..., Flask]) -> None:
    app = make_app(support_contact="help@example.com")
    source = '{{ _("Ask %(contact)s.", contact=support_contact) }}'
    with app.test_request_context():
        text = render_template_string(source)
    assert text == 'Ask <a href="mailto:help@example.com">help@example.com</a>.'
    assert "help@example.com" in app.test_client().get("/login", headers=BROWSER).text
