"""Takes a picture of every page in every state: `make pictures`.

What the states are stands in tests/support/states.py. Each is taken in both languages and themes
at both widths into a folder, for a person to look at; a few also into the documentation.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.support.inbox import code_in, html_of
from tests.support.states import (
    LANGUAGES,
    PERSON,
    STATES,
    SWITCHES,
    THEMES,
    WIDTHS,
    Services,
    State,
    running_services,
    send,
    to_demo_provider,
)

DOCS = Path(__file__).parents[1] / "docs"
# Milliseconds: the longest pages take seconds to draw, and more on a machine that is busy.
MAX_PICTURE_WAIT = 180_000
DESK = ViewportSize(width=1100, height=800)
SMALL = ViewportSize(width=720, height=860)
# The pictures of the documentation, by state.
DOCUMENTED = {
    "home": ("images/home", DESK),
    "register-refused": ("images/register-refused", DESK),
    "resource-in": ("images/akses-sukses", DESK),
    "account-profile": ("images/account", DESK),
    "login-providers": ("social/login", SMALL),
    "social-demo": ("social/demo", SMALL),
    "social-welcome": ("social/first-visit", SMALL),
    "social-welcome-no-email": ("social/no-email", SMALL),
    "social-connect": ("social/connect", SMALL),
    "social-refused": ("social/declined", SMALL),
    "account-connected": ("social/account", SMALL),
    "forgot": ("mail/forgot", SMALL),
    "reset-code": ("mail/reset", SMALL),
    "verify-before-login": ("mail/verify", SMALL),
    "undo": ("mail/undo", SMALL),
    "account-profile-pending": ("mail/profile", DESK),
    "outbox": ("mail/outbox", SMALL),
}
# The width of most mail programs' window for a mail.
MAIL_WIDTH = 600
# The demo provider's own page: no page of the service, but part of its documentation.
DEMO = State("social-demo", "/login", service="social", steps=to_demo_provider)


def main(folder: Path) -> None:
    """Take every picture; those that the documentation does not show go to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        running_services(Path(data)) as services,
        chromium() as browser,
    ):
        for state in (*STATES, DEMO):
            for language in LANGUAGES:
                take(services, browser, state, language, folder)
        take_mails(services, browser)
    print(f"loguserapp: the pictures are in {folder}")


def take(services: Services, browser: Browser, state: State, language: str, folder: Path) -> None:
    """Reach a state once, and take it in every theme and width."""
    with services.open(browser, state, language, reduced_motion="reduce") as (page, status):
        if status != state.status:
            print(f"loguserapp: {state.name} answers {status} instead of {state.status}")
            return
        if language == "en" and state.name in DOCUMENTED:
            name, size = DOCUMENTED[state.name]
            page.set_viewport_size(size)
            keep(page, DOCS / f"{name}.png", full_page=False)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                keep(page, folder / f"{state.name}-{language}-{theme}-{width}.png")


def take_mails(services: Services, browser: Browser) -> None:
    """Take two mails into the documentation: a request in the light, a notice in the dark."""
    login = State("login", "/login", service="verifying")
    with services.open(browser, login, "en") as (page, _):
        page.goto("/forgot")
        to = PERSON["email"]
        mail = services.new_mail("verifying", to, "/reset", lambda: send(page, {"email": to}))
        take_mail(page, mail, "light", "mail/mail-reset")
    with services.open(browser, login, "id") as (page, _):
        page.goto("/register")
        fields = {"username": "sari", "email": "sari@example.com", "password": PERSON["password"]}
        to, change = fields["email"], {"current_password": PERSON["password"]}
        mail = services.new_mail("verifying", to, "/verify", lambda: send(page, fields))
        send(page, {"code": code_in(mail)})
        page.goto("/account/password")
        change["new_password"] = "a cat on a cushion"
        mail = services.new_mail("verifying", to, "/undo", lambda: send(page, change))
        take_mail(page, mail, "dark", "mail/mail-notice")


def take_mail(page: Page, mail: EmailMessage, theme: Literal["light", "dark"], name: str) -> None:
    """Show the HTML of a mail, and take it."""
    page.set_viewport_size({"width": MAIL_WIDTH, "height": 400})
    page.emulate_media(color_scheme=theme)
    page.goto("about:blank")  # a page of the service takes no foreign HTML
    page.set_content(html_of(mail))
    keep(page, DOCS / f"{name}.png")


def keep(page: Page, path: Path, *, full_page: bool = True) -> None:
    """Write a page, or the visible part of it, into a file."""
    page.screenshot(path=path, animations="disabled", full_page=full_page, timeout=MAX_PICTURE_WAIT)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser."""
    program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
