"""Takes the pictures of signing in with a provider, with the demo's: part of `make pictures`."""

from __future__ import annotations

import sys
import urllib.parse
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from pictures import CHROMIUM, FLAGS, service  # noqa: E402 - beside this folder, not in a package

# Buttons alone: nobody goes to Google or Facebook here.
SETTINGS = {
    "PUBLIC_URL": "http://127.0.0.1:{port}",
    "SOCIAL_DEMO": "1",
    "GOOGLE_CLIENT_ID": "example",
    "GOOGLE_CLIENT_SECRET": "example",
    "FACEBOOK_CLIENT_ID": "example",
    "FACEBOOK_CLIENT_SECRET": "example",
}
HOLDER = {"username": "budi", "email": "budi@example.com", "password": "a cat on a cushion"}


def main() -> None:
    """Walk as each of the demo's people and keep what is seen."""
    with service(**SETTINGS) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        fields = urllib.parse.urlencode(HOLDER).encode()
        urllib.request.urlopen(f"{url}/register", fields).close()

        page = leave(browser, url)
        keep(page, "demo")
        page.get_by_role("button", name="Sari").click()
        page.get_by_label("Username").wait_for()
        keep(page, "first-visit")
        page.get_by_role("button", name="Save and go on").click()
        page.goto("/account")
        keep(page, "account", full_page=True)

        page = leave(browser, url)
        page.get_by_role("button", name="Ayu").click()
        page.get_by_label("E-mail").wait_for()
        keep(page, "no-email")

        page = leave(browser, url)
        page.get_by_role("button", name="Budi").click()
        page.get_by_label("Password", exact=True).wait_for()
        keep(page, "connect")

        page = leave(browser, url)
        page.get_by_role("button", name="Cancel").click()
        page.locator(".error-page").wait_for()
        keep(page, "declined")
        browser.close()


def leave(browser: Browser, url: str) -> Page:
    """A new browser that pressed the demo's button."""
    page = browser.new_context(base_url=url, viewport={"width": 720, "height": 860}).new_page()
    page.goto("/login")
    keep(page, "login")
    page.get_by_role("link", name="Continue with Demo provider").click()
    page.get_by_role("heading", name="Who are you today?").wait_for()
    return page


def keep(page: Page, name: str, *, full_page: bool = False) -> None:
    """Write a page, or the visible part of it, to this folder."""
    page.screenshot(path=HERE / f"{name}.png", animations="disabled", full_page=full_page)


if __name__ == "__main__":
    main()
