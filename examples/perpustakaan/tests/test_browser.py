"""Readers and a librarian with real browsers, each a profile of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from conftest import HERE, PASSWORD, Library, migrate, run_library, settings_for
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Response, expect

from tests.support.chromium import chromium
from tests.support.environment import ROOT, clean_environment, missing
from tests.support.servers import Server

__all__ = ["chromium"]
HOSTILE = '<script>alert(1)</script> "><img src=x onerror=alert(2)> =1+1'
AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
# Fails where a picture is missing or broken, one that is further down too.
DECODED = """() => Promise.all([...document.images].map((image) => {
  image.loading = "eager";
  return image.decode();
}))"""
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_numbers = count(1)


@dataclass
class Shelves:
    """A library that runs, and its command line."""

    library: Library
    environment: dict[str, str]

    def command(self, *words: str) -> str:
        command = [sys.executable, "-m", "flask", "--app", "perpustakaan", *words]
        done = subprocess.run(
            command, cwd=HERE, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout


@pytest.fixture(scope="module")
def shelves(
    tmp_path_factory: pytest.TempPathFactory, loguserapp: Server, library_url: str
) -> Iterator[Shelves]:
    """The library under a path prefix, with three books; the third's title is hostile."""
    folder = tmp_path_factory.mktemp("shelves")
    database = f"sqlite:///{folder / 'perpustakaan.db'}"
    migrate(database)
    url = f"{library_url}/perpustakaan"
    settings = {"APP_URL": url, "PORT": library_url.rpartition(":")[2]}
    environment = clean_environment() | settings_for(database) | {"INSTANCE_PATH": str(folder)}
    (folder / "books.csv").write_text(
        "title,author,isbn,year,copies,shelf\n"
        "Laskar Pelangi,Andrea Hirata,9789793062792,2005,1,899.221 HIR l\n"
        "Les Misérables,Victor Hugo,,1862,3,843 HUG m\n"
        '"{}","=cmd()",,,1,\n'.format(HOSTILE.replace('"', '""')),
        encoding="utf-8",
    )
    with run_library(folder, database, loguserapp.url, **settings) as library:
        running = Shelves(library, environment)
        running.command("import-books", str(folder / "books.csv"))
        yield running


@pytest.fixture
def open_page(chromium: Browser, shelves: Shelves) -> Iterator[Callable[..., Page]]:
    """Open a page in a profile of its own; what its console complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def hear(said: ConsoleMessage) -> None:
        # That a page itself is a refusal is no fault; that a part of it is missing is one.
        if "Failed to load resource" not in said.text:
            complaints.append(said.text)

    def look(response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            complaints.append(f"{response.status} {response.url}")

    def answer(dialog: Dialog) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    def make(
        path: str = "/", locale: str = "en-US", width: int = 1400, theme: str = "light"
    ) -> Page:
        context = chromium.new_context(
            locale=locale,
            viewport={"width": width, "height": 800},
            color_scheme=theme,  # type: ignore[arg-type]
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", hear)
        page.on("response", look)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", answer)
        page.goto(f"{shelves.library.url}{path}")
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def register(page: Page, name: str) -> str:
    """Create an account on the page of loguserapp that is open; the username."""
    username = f"{name}-{next(_numbers)}-{os.getpid()}"
    # The browser puts the cursor there itself, and complains if a test is faster.
    expect(page.locator("input[name=username]")).to_be_focused()
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=email]").fill(f"{username}@example.com")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form:has(input[name=email]) button:not([type=button])").click()
    return username


def open_book(page: Page, title: str) -> None:
    page.get_by_role("searchbox").fill(title)
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("link", name=title).first.click()


def test_a_book_goes_from_reader_to_librarian_to_the_next_reader(
    shelves: Shelves, open_page: Callable[..., Page]
) -> None:
    title = "Laskar Pelangi"
    url = shelves.library.url

    # Ana finds a book and has no account yet. She is back at the book afterwards.
    ana = open_page(locale="id-ID")
    open_book(ana, title)
    book = ana.url
    ana.get_by_role("link", name="Masuk untuk meminjam").click()
    expect(ana.get_by_role("heading", name="Masuk")).to_be_visible()
    ana.locator("main").get_by_role("link", name="Buat akun").click()
    ana_name = register(ana, "ana")
    expect(ana).to_have_url(book)
    ana.get_by_role("button", name="Pinjam", exact=True).click()
    expect(ana.locator(".flash")).to_contain_text("Buku ini Anda pinjam sampai")
    expect(ana.locator(".flash")).to_be_focused()
    ana.get_by_role("link", name="Pinjaman saya", exact=True).click()
    expect(ana.get_by_role("link", name=title)).to_be_visible()
    expect(ana.get_by_text("14 hari lagi")).to_be_visible()

    # Budi wants it too, and waits.
    budi = open_page()
    open_book(budi, title)
    budi.get_by_role("banner").get_by_role("link", name="Create account").click()
    register(budi, "budi")
    expect(budi).to_have_url(book)
    budi.get_by_role("button", name="Join the waiting list").click()
    expect(budi.locator(".flash")).to_contain_text("You are number 1 on the waiting list.")

    # Ana cannot renew it now.
    ana.reload()
    expect(ana.get_by_text("ada pembaca lain yang menunggu")).to_be_visible()
    expect(ana.get_by_role("button", name="Perpanjang")).to_have_count(0)

    # Siti is a librarian, and takes it back.
    siti = open_page()
    siti.get_by_role("link", name="Create account").click()
    siti_name = register(siti, "siti")
    expect(siti).to_have_url(f"{url}/")
    assert siti_name in shelves.command("librarian", siti_name)
    siti.goto(f"{url}/desk")
    siti.get_by_label("Reader’s username").last.fill(ana_name)
    siti.get_by_role("button", name="Show loans").click()
    siti.get_by_role("button", name=f"Take back: {title}").click()
    expect(siti.locator(".flash")).to_contain_text("it is now lent to budi-")

    # It is Budi's at once.
    budi.get_by_role("link", name="My loans").click()
    expect(budi.get_by_role("link", name=title)).to_be_visible()
    expect(budi.get_by_role("button", name=f"Renew: {title}")).to_be_visible()
    ana.reload()
    expect(ana.get_by_role("heading", name="Sudah dikembalikan")).to_be_visible()

    # Logged out, Budi's loans are not shown any more.
    budi.get_by_role("button", name="Log out").click()
    expect(budi.locator(".flash")).to_contain_text("You are logged out.")
    expect(budi.get_by_role("link", name="log out there too")).to_be_visible()
    budi.goto(f"{url}/loans")
    expect(budi).not_to_have_url(re.compile(re.escape(url)))
    kept = {cookie.get("name") for cookie in budi.context.cookies(f"{url}/")}
    assert not kept & {"perpustakaan_access", "perpustakaan_refresh"}


def test_a_librarian_adds_and_corrects_a_book(
    shelves: Shelves, open_page: Callable[..., Page]
) -> None:
    page = open_page(width=360, locale="id-ID")
    page.get_by_role("link", name="Buat akun").click()
    name = register(page, "tuti")
    expect(page).to_have_url(f"{shelves.library.url}/")
    shelves.command("librarian", name)
    page.goto(f"{shelves.library.url}/desk/books/new")
    page.get_by_label("Judul").fill("Atheis")
    page.get_by_label("ISBN").fill("123")
    page.get_by_label("Eksemplar").fill("")
    page.get_by_role("button", name="Tambah buku").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link")).to_have_count(3)
    summary.get_by_role("link").first.click()
    expect(page.get_by_label("Pengarang")).to_be_focused()
    page.keyboard.type("Achdiat K. Mihardja")
    page.get_by_label("ISBN").fill("")
    page.get_by_label("Eksemplar").fill("2")
    expect(page.get_by_label("Judul")).to_have_value("Atheis")
    page.get_by_role("button", name="Tambah buku").click()
    expect(page.locator(".flash")).to_contain_text("sudah masuk katalog")
    expect(page.get_by_role("heading", level=1)).to_have_text("Atheis")


def test_a_reader_borrows_with_the_keyboard_alone(open_page: Callable[..., Page]) -> None:
    page = open_page("/login?next=/")
    page.goto(page.url.replace("/login?", "/register?"))
    register(page, "keys")
    expect(page.get_by_role("heading", name="Find a book")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("miserables hugo")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=miserables"))
    press_until(page, "Les Misérables")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Les Misérables")).to_be_visible()
    press_until(page, "Borrow")
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert ring == "3px"
    page.keyboard.press("Enter")
    expect(page.locator(".flash")).to_be_focused()
    expect(page.locator(".flash")).to_contain_text("is yours until")


def press_until(page: Page, name: str) -> None:
    """Press Tab until the element with this name is focused."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.textContent.trim()"):
            return
    raise AssertionError(f"Tab never comes to {name}")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "id-ID"])
def test_no_page_is_wider_than_a_phone_and_a_hostile_title_is_text(
    shelves: Shelves, open_page: Callable[..., Page], locale: str, theme: str
) -> None:
    page = open_page(locale=locale, width=360, theme=theme)
    page.locator("header a.button").click()
    name = register(page, "phone")
    expect(page).to_have_url(f"{shelves.library.url}/")
    shelves.command("librarian", name)
    page.goto(f"{shelves.library.url}/books/3")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    for path in [
        "/", "/?q=nothing-like-it", "/books/1", "/books/3", "/loans", "/desk",
        f"/desk?username={name}", "/desk/books/new", "/desk/books/3",
    ]:  # fmt: skip
        page.goto(f"{shelves.library.url}{path}")
        assert not page.evaluate(TOO_WIDE), path
        page.evaluate(DECODED)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(shelves: Shelves, open_page: Callable[..., Page], theme: str) -> None:
    """WCAG 2.2 A and AA, and what axe-core calls best practice."""
    if not AXE.exists():
        missing("axe-core, which npm installs into tests/node,")
    page = open_page(theme=theme, locale="id-ID", width=360 if theme == "dark" else 1400)
    page.locator("header a.button").click()
    name = register(page, "axe")
    expect(page).to_have_url(f"{shelves.library.url}/")
    shelves.command("librarian", name)
    page.goto(f"{shelves.library.url}/books/2")
    page.locator("main form button.primary").click()
    for path in ["/", "/books/2", "/loans", "/desk", f"/desk?username={name}", "/desk/books/new"]:
        page.goto(f"{shelves.library.url}{path}")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then((found) => found.violations)")
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], path


def test_covers_are_drawn(shelves: Shelves, open_page: Callable[..., Page]) -> None:
    """Also opened by itself, a cover runs nothing of its title."""
    page = open_page("/books/3")
    address = page.locator("img.cover").get_attribute("src")
    assert address is not None
    page.goto(f"{shelves.library.url}{address.removeprefix('/perpustakaan')}")
    assert page.evaluate("document.querySelectorAll('script, image, a').length") == 0
    assert page.evaluate("document.querySelectorAll('text').length") > 1


def test_the_list_of_files_is_small() -> None:
    """A first visit on a slow line: one style sheet and one picture beside the covers."""
    static = Path(HERE / "perpustakaan" / "static")
    assert sum(file.stat().st_size for file in static.iterdir()) < 30_000
