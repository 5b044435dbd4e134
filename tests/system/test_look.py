"""What a stylesheet decides, in a real browser: lines, headings, marks, forced colours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.system.test_browser import new_name, open_page, register, server

pytestmark = pytest.mark.system
__all__ = ["open_page", "server"]

# Characters on the longest line of the paragraphs of a page.
LONGEST_LINE = """
() => Math.max(...[...document.querySelectorAll("main p")].map((p) => {
  const range = document.createRange();
  const walker = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
  const lines = new Map();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (let i = 0; i < node.length; i++) {
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const [box] = range.getClientRects();
      const line = Math.round(box?.bottom / 8);
      if (box) lines.set(line, (lines.get(line) ?? 0) + 1);
    }
  }
  return Math.max(0, ...lines.values());
}))
"""
# Words of headings that stand on two lines.
BROKEN_WORDS = """
() => [...document.querySelectorAll("h1, h2")].flatMap((heading) => {
  const walker = document.createTreeWalker(heading, NodeFilter.SHOW_TEXT);
  const broken = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const word of node.data.matchAll(/[^\\s]+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (range.getClientRects().length > 1) broken.push(word[0]);
    }
  }
  return broken;
})
"""
# Contrast of two colours (WCAG 2.2, relative luminance).
CONTRAST = """
([one, other]) => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}
"""


@pytest.mark.parametrize("path", ["/", "/resource", "/docs", "/nothing"])
def test_lines_have_about_65_characters(open_page: Callable[..., Page], path: str) -> None:
    """D23."""
    page = open_page()
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(path)
    assert 20 < page.evaluate(LONGEST_LINE) <= 75


@pytest.mark.parametrize("language", ["en", "id"])
def test_no_word_of_a_heading_is_broken(open_page: Callable[..., Page], language: str) -> None:
    """D25."""
    page = open_page()
    page.set_viewport_size({"width": 360, "height": 800})
    register(page, new_name())
    for path in [
        "/", "/resource", "/nothing", "/login/connect", "/account/profile", "/account/password",
        "/account/devices", "/account/connections", "/account/delete",
    ]:  # fmt: skip
        page.goto(f"{path}?lang={language}")
        assert page.evaluate(BROKEN_WORDS) == [], path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_mark_of_the_current_page_can_be_seen(
    open_page: Callable[..., Page], theme: str
) -> None:
    """D26: at least 3 to 1, as WCAG 2.2 asks of what is not text (1.4.11)."""
    page = open_page()
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.goto("/login")
    link = page.locator("header nav a[aria-current=page]")
    mark = link.evaluate("(link) => getComputedStyle(link).textDecorationColor")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    if ground == "rgba(0, 0, 0, 0)":
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert page.evaluate(CONTRAST, [mark, ground]) >= 3
    assert "underline" in link.evaluate("(link) => getComputedStyle(link).textDecorationLine")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_first_line_of_a_request_stands_out(
    open_page: Callable[..., Page], path: str, theme: str
) -> None:
    page = open_page()
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.goto(path)
    request = page.locator("code.request").first
    style = "(code, part) => getComputedStyle(code, part)[{!r}]"
    first, rest = (request.evaluate(style.format("color"), part) for part in ("::first-line", None))
    assert first != rest
    assert request.evaluate(style.format("fontWeight"), "::first-line") == "700"
    ground = request.locator("..").evaluate(style.format("backgroundColor"))
    assert page.evaluate(CONTRAST, [first, ground]) >= 4.5


def test_the_languages_lead_to_the_same_page(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/login?next=/resource")
    page.get_by_role("link", name="Bahasa Indonesia").click()
    expect(page.locator("html")).to_have_attribute("lang", "id")
    expect(page.get_by_role("heading", level=1)).to_have_text("Masuk")
    assert page.url.endswith("/login?next=%2Fresource&lang=id")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def test_a_refused_field_differs_in_the_readers_own_colours(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    page.emulate_media(forced_colors="active")
    page.goto("/login")
    page.get_by_role("button", name="Log in").click()
    width = "(field) => getComputedStyle(field).borderTopWidth"
    assert page.get_by_label("Username or e-mail").evaluate(width) == "3px"
