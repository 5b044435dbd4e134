"""D27: what browsers, phones and search engines ask for by themselves is there."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def pixels(png: bytes) -> tuple[int, int]:
    assert png.startswith(PNG)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize(
    ("path", "mimetype"),
    [
        ("/favicon.ico", "image/x-icon"),
        ("/apple-touch-icon.png", "image/png"),
        ("/site.webmanifest", "application/manifest+json"),
        ("/robots.txt", "text/plain"),
    ],
)
def test_each_is_there_for_a_while_and_reads_no_cookie(
    client: FlaskClient, path: str, mimetype: str
) -> None:
    answer = client.get(path, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.mimetype) == (200, mimetype)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in answer.headers


def test_the_icons_are_pictures_of_their_size(client: FlaskClient) -> None:
    icon = client.get("/favicon.ico").data
    assert icon[:6] == b"\0\0\1\0\1\0"
    assert pixels(icon[22:]) == (32, 32)
    assert pixels(client.get("/apple-touch-icon.png").data) == (180, 180)


def test_the_manifest_names_the_service_and_icons_that_exist(
    make_app: Callable[..., Flask],
) -> None:
    client = make_app(app_name="Warung Kopi").test_client()
    manifest = client.get("/site.webmanifest").get_json(force=True)
    assert manifest["name"] == "Warung Kopi"
    for icon in manifest["icons"]:
        with client.get(icon["src"]) as found:
            assert "{}x{}".format(*pixels(found.data)) == icon["sizes"]


def test_with_a_logo_of_ones_own_the_cat_is_nowhere(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    (tmp_path / "logo.svg").write_bytes(svg)
    client = make_app(app_logo=tmp_path / "logo.svg").test_client()
    (icon,) = client.get("/site.webmanifest").get_json(force=True)["icons"]
    for path in ("/favicon.ico", "/apple-touch-icon.png", icon["src"]):
        answer = client.get(path)
        assert (answer.data, answer.mimetype) == (svg, "image/svg+xml")


def test_search_engines_find_the_home_page_alone(client: FlaskClient) -> None:
    assert client.get("/robots.txt").text.splitlines()[-1] == "Disallow: /"
