"""What a browser asks for beside the pages: their parts, icons, well-known addresses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.system.test_browser import PASSWORD, open_page, person, server, submit

pytestmark = pytest.mark.system
__all__ = ["open_page", "person", "server"]

# What each part of the page cost on the line, in bytes; 0 where the browser had it.
SENT = """() => Object.fromEntries(performance.getEntriesByType("resource")
  .map((part) => [new URL(part.name).pathname, part.transferSize]))"""
LOADS = """(path) => new Promise((done) => {
  const image = new Image();
  image.onload = () => done(image.naturalWidth);
  image.onerror = () => done(0);
  image.src = path;
})"""


def test_the_parts_of_a_page_are_asked_for_once(open_page: Callable[..., Page]) -> None:
    """D13: not even to learn that they have not changed."""
    page = open_page()
    page.goto("/login", wait_until="networkidle")
    first = page.evaluate(SENT)
    assert first["/static/style.css"] > 0
    assert first["/static/app.js"] > 0
    page.goto("/resource", wait_until="networkidle")
    again = page.evaluate(SENT)
    common = first.keys() & again.keys()
    assert {"/static/style.css", "/static/app.js"} <= common
    assert {path: again[path] for path in common if again[path]} == {}


def test_the_button_of_a_password_manager_leads_to_the_form(
    open_page: Callable[..., Page], person: str
) -> None:
    """D27: the well-known address of the W3C, logged out and logged in."""
    page = open_page()
    page.goto("/.well-known/change-password")
    page.get_by_label("Username or e-mail").fill(person)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    submit(page, "Log in")
    for _ in range(2):
        expect(page).to_have_url("/account/password")
        expect(page.get_by_label("New password", exact=True)).to_be_visible()
        page.goto("/.well-known/change-password")


def test_icons_and_manifest_are_there(open_page: Callable[..., Page]) -> None:
    """D27."""
    page = open_page()
    page.goto("/")
    manifest = page.locator("link[rel=manifest]")
    icons = manifest.evaluate("async (link) => (await (await fetch(link.href)).json()).icons")
    linked = page.locator("link[rel~=icon], link[rel=apple-touch-icon]")
    assert len(icons) == linked.count() == 2
    icons = [icon["src"] for icon in icons]
    icons += linked.evaluate_all("all => all.map((link) => link.href)")
    for path in ("/favicon.ico", "/apple-touch-icon.png", *icons):
        assert page.evaluate(LOADS, path) >= 32, path
    answer = page.goto("/robots.txt")
    assert answer is not None
    assert answer.status == 200
    expect(page.get_by_text("Disallow")).to_be_visible()
