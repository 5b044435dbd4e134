"""Takes the picture of a running stack's page: `python -m docs.compose.picture URL`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from docs.pictures import CHROMIUM, FLAGS

PERSON = {"username": "dummyuser", "email": "dummy@dummy.com", "password": "dummy1234"}


def main(url: str) -> None:
    """Register, log in and open the resource through nginx."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1100, "height": 800}, base_url=url)
        for path, button in (("/register", "Create account"), ("/login", "Log in")):
            page.goto(path)
            for name, value in PERSON.items():
                if page.locator(f"[name={name}]").count():
                    page.fill(f"[name={name}]", value)
            page.click(f"main button:has-text('{button}')")
            page.wait_for_load_state()
        page.goto("/resource")
        page.get_by_text("akses sukses").first.wait_for()
        page.screenshot(path=Path(__file__).with_name("page.png"), animations="disabled")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
