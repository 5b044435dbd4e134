"""Takes the pictures of the README: `python -m pytest examples/perpustakaan/tests/pictures.py`.

It is run by hand, in the folder of the repository, when the pages look different.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from conftest import HERE, PASSWORD, migrate, run_library, settings_for
from playwright.sync_api import Browser, Page, ViewportSize

from perpustakaan.database import utc_now
from tests.support.chromium import chromium
from tests.support.environment import clean_environment
from tests.support.servers import Server

__all__ = ["chromium"]
PICTURES = HERE / "docs"
PHONE: ViewportSize = {"width": 360, "height": 760}
WIDE: ViewportSize = {"width": 1200, "height": 800}


class Reader:
    """A person with a browser, who has an account."""

    def __init__(self, chromium: Browser, url: str, name: str, **look: Any) -> None:
        self._url = url
        self.page: Page = chromium.new_context(locale="id-ID", **look).new_page()
        self.open("/register")
        for field, text in {"username": name, "email": f"{name}@example.com"}.items():
            self.page.locator(f"input[name={field}]").fill(text)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("form:has(input[name=email]) button:not([type=button])").click()
        self.page.wait_for_url(f"{url}/")

    def open(self, path: str) -> Page:
        self.page.goto(self._url + path)
        return self.page

    def borrow(self, title: str) -> None:
        self.open(f"/?q={title}").locator(".books a").first.click()
        self.page.locator("form[action$='/borrow'] button").click()

    def take(self, name: str, path: str = "") -> None:
        if path:
            self.open(path)
        self.page.screenshot(path=PICTURES / name, type="jpeg", quality=55)


def test_take_the_pictures(
    chromium: Browser, loguserapp: Server, library_url: str, tmp_path: Path
) -> None:
    database = tmp_path / "perpustakaan.db"
    migrate(f"sqlite:///{database}")
    environment = clean_environment() | settings_for(f"sqlite:///{database}")
    environment |= {"INSTANCE_PATH": str(tmp_path)}

    def command(*words: str) -> None:
        flask = [sys.executable, "-m", "flask", "--app", "perpustakaan", *words]
        subprocess.run(flask, cwd=HERE, env=environment, check=True)

    command("import-books", "demo/books.csv")
    port = library_url.rpartition(":")[2]
    settings = {"APP_URL": library_url, "PORT": port}
    with run_library(tmp_path, f"sqlite:///{database}", loguserapp.url, **settings):
        siti = Reader(chromium, library_url, "siti", viewport=WIDE)
        command("librarian", "siti")
        budi = Reader(chromium, library_url, "budi", viewport=WIDE)
        mira = Reader(chromium, library_url, "mira", viewport=PHONE, color_scheme="dark")
        for title in ("Bumi Manusia", "Atheis", "Salah Asuhan", "Azab dan Sengsara"):
            mira.borrow(title)
        for reader in (budi, siti):
            reader.borrow("Bumi Manusia")  # of which there is one
        budi.borrow("Layar Terkembang")
        long_ago(database)
        siti.page.set_viewport_size({"width": 1040, "height": 760})
        siti.take("book.jpg")
        siti.page.set_viewport_size(WIDE)
        siti.take("desk.jpg", "/desk")
        siti.take("catalogue.jpg", "/")
        mira.take("loans.jpg", "/loans")
        guest = chromium.new_context(locale="id-ID", viewport=PHONE).new_page()
        guest.goto(f"{library_url}/login?next=/loans")
        guest.screenshot(path=PICTURES / "login.jpg", type="jpeg", quality=55)
        siti.page.set_viewport_size(PHONE)
        siti.open("/desk/books/new").locator("input[name=title]").fill("Gadis Pantai")
        siti.page.locator("input[name=isbn]").fill("9789799731235")
        siti.page.locator("main form button").last.click()
        siti.take("book-form.jpg")


def long_ago(database: Path) -> None:
    """One loan is overdue, one has been renewed twice."""
    today = utc_now().date()
    with closing(sqlite3.connect(database)) as connection, connection:
        for number, days, renewals in ((2, -6, 0), (3, 9, 2), (5, -2, 0)):
            due = str(today + timedelta(days=days))
            update = "UPDATE loan SET due_on = ?, renewals = ? WHERE id = ?"
            connection.execute(update, (due, renewals, number))
