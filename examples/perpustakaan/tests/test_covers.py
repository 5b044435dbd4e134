"""Covers are pictures of text: whatever the text is, the picture stays well-formed and readable."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpustakaan.batik import PALETTES, Palette
from perpustakaan.covers import HEIGHT, WIDTH, cover

SVG = "{http://www.w3.org/2000/svg}"
DEMO = Path(__file__).parent.parent / "demo" / "books.csv"
HOSTILE = [
    "<script>alert(1)</script>", '"><svg onload=alert(1)>', "]]></text><a href='//evil'>",
    "&amp; & &#x26;", "'; DROP TABLE book; --", '=HYPERLINK("http://evil")',
]  # fmt: skip


def lines(svg: str) -> list[str]:
    """What stands on a cover, line by line."""
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def luminance(colour: str) -> float:
    """The relative luminance of a colour (WCAG 2.2)."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.ground)
def test_letters_have_a_contrast_of_7_to_1(palette: Palette) -> None:
    dark, light = sorted((luminance(palette.ground), luminance(palette.text)))
    assert (light + 0.05) / (dark + 0.05) >= 7


def test_the_same_book_has_the_same_cover_and_another_book_another() -> None:
    assert cover("Belenggu", "Armijn Pane") == cover("Belenggu", "Armijn Pane")
    assert cover("Belenggu", "Armijn Pane") != cover("Belenggu", "Sanusi Pane")


@pytest.mark.parametrize("title", HOSTILE)
def test_markup_in_a_title_stays_text(title: str) -> None:
    svg = cover(title, title)
    tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(svg).iter()}
    assert tags <= {
        "svg", "title", "defs", "pattern", "path", "g", "text", "ellipse", "circle"
    }  # fmt: skip
    assert ElementTree.fromstring(svg).findtext(f"{SVG}title") == title
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "") or "HYPERLINK" in title


@given(st.text(max_size=300), st.text(max_size=200))
def test_every_text_gives_a_picture(title: str, author: str) -> None:
    svg = cover(title, author)
    root = ElementTree.fromstring(svg.encode())
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    places = [int(text.get("y", "")) for text in root.iter(f"{SVG}text")]
    assert all(0 < place < HEIGHT for place in places)


def test_every_demo_title_stands_whole_on_its_cover() -> None:
    with DEMO.open(encoding="utf-8", newline="") as file:
        books = list(csv.DictReader(file))
    assert len(books) == 200
    for book in books:
        shown = " ".join(lines(cover(book["title"], book["author"])))
        assert shown == f"{book['title']} {book['author']}"


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    *_, last_of_title, author = lines(cover("kata " * 100, "Anonim"))
    assert last_of_title.endswith("…")
    assert author == "Anonim"
