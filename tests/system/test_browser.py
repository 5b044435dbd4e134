"""A person with a real browser: the whole main job, with and without JavaScript, mouse or sight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
)

from tests.support.http import once
from tests.support.servers import Server, run_server

SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
PASSWORD = "correct horse battery"
NUMBERS = count(1)
SIGNED_OUT = ["/", "/register", "/login", "/resource", "/docs", "/nothing"]
SIGNED_IN = [
    "/", "/account/profile", "/account/password", "/account/devices", "/account/connections",
    "/account/delete", "/resource",
]  # fmt: skip
EITHER_WAY = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("browser")
    with run_server(folder, f"sqlite:///{folder / 'test.db'}", WORKERS="1") as server:
        yield server


@pytest.fixture
def person(server: Server) -> str:
    """The name of a person with an account."""
    name = new_name()
    fields = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert once(server.url, "POST", "/register", **fields).status == 201
    return name


@pytest.fixture
def open_page(chromium: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Open a page of a new browser profile; what its console complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def hear(message: ConsoleMessage) -> None:
        # That a page itself is a refusal is no fault; that a part of it is missing is one.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def look(response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            complaints.append(f"{response.status} {response.url}")

    def hear_of_failure(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # by the person, who went on
            complaints.append(f"{request.failure} {request.url}")

    def make(*, scripts: bool = True, **options: Any) -> Page:
        context = chromium.new_context(base_url=server.url, java_script_enabled=scripts, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", hear_of_failure)
        page.on("response", look)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def new_name() -> str:
    return f"person{next(NUMBERS)}"


def submit(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.get_by_role("main").get_by_role("button", name=button).click()


def register(page: Page, name: str, email: str | None = None) -> None:
    page.goto("/register")
    page.get_by_label("Username").fill(name)
    page.get_by_label("E-mail").fill(email or f"{name}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    submit(page, "Create account")


def log_in(page: Page, name: str) -> None:
    page.goto("/login")
    page.get_by_label("Username or e-mail").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    submit(page, "Log in")


def sign_in(page: Page) -> str:
    """Register a new person, who is logged in then, and return the access token of the page."""
    register(page, new_name())
    return page.locator("#access-token").inner_text()


def submit_log_out(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Log out").click()


def paste(page: Page, token: str) -> None:
    page.goto("/resource")
    page.get_by_label("Access token").fill(token)
    submit(page, "Open the resource")


def expect_cat(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("akses sukses")
    cat = page.get_by_role("img", name="The orange cat purrs")
    expect(cat).to_be_visible()
    box = cat.bounding_box()
    assert box is not None
    assert box["width"] > 100


# --- the main job --------------------------------------------------------------------------------


@EITHER_WAY
def test_a_person_registers_logs_in_and_sees_the_cat(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    page, name = open_page(scripts=scripts), new_name()
    register(page, name)
    expect(page.get_by_text("Your account is ready.")).to_be_visible()
    submit_log_out(page)
    log_in(page, name)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"You are logged in as {name}")
    assert page.locator("#access-token").inner_text().startswith("eyJ")
    page.get_by_role("main").get_by_role("link", name="Open the resource").click()
    expect_cat(page)


@EITHER_WAY
def test_a_pasted_good_token_shows_the_cat_to_whoever_has_it(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    page = open_page(scripts=scripts)
    token = sign_in(page)
    stranger = open_page(scripts=scripts)
    paste(stranger, token)
    expect_cat(stranger)
    assert token not in stranger.url


@EITHER_WAY
def test_a_pasted_bad_token_is_refused_with_the_reason(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    page = open_page(scripts=scripts)
    paste(page, "not.a.token")
    expect(page.get_by_label("Access token")).to_have_accessible_description(
        "This is not a token of this service. Copy it whole, or log in for a new one."
    )
    expect(page.get_by_label("Access token")).to_have_attribute("aria-invalid", "true")
    assert page.get_by_text("akses sukses").count() == 0


@EITHER_WAY
def test_after_the_logout_the_browser_and_its_token_open_nothing(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    page = open_page(scripts=scripts)
    token = sign_in(page)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="Log in")).to_be_visible()
    paste(page, token)
    expect(page.get_by_text("This token's login has ended.")).to_be_visible()


def test_the_copy_button_copies_the_token(open_page: Callable[..., Page]) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    token = sign_in(page)
    page.locator("[data-copy=access-token]").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token


def test_a_button_that_needs_scripts_is_hidden_without_them(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(scripts=False)
    sign_in(page)
    assert page.locator("button.copy").first.is_hidden()
    page.goto("/account/password")
    assert page.locator("button.reveal").first.is_hidden()


# --- what is refused is shown where it belongs -------------------------------------------------


@EITHER_WAY
@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ("username", "Username", "That username is taken. Try another, or log in if it is yours."),
        ("email", "E-mail", "That e-mail already has an account. Log in, or use another e-mail."),
        ("form of the e-mail", "E-mail", "An email address must have an @-sign."),
    ],
)
def test_a_refusal_stands_beside_its_field_and_what_was_typed_is_kept(
    open_page: Callable[..., Page], scripts: bool, changed: str, field: str, message: str
) -> None:
    page, name, other = open_page(scripts=scripts), new_name(), new_name()
    register(page, name)
    page.context.clear_cookies()
    username = name if changed == "username" else other
    email = {"email": f"{name}@example.com", "form of the e-mail": "newuseroke"}.get(changed)
    register(page, username, email or f"{other}@example.com")
    expect(page.get_by_label(field)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label(field)).to_have_accessible_description(message)
    assert page.get_by_label("Username").input_value() == username
    assert page.get_by_label("E-mail").input_value() == email or f"{other}@example.com"
    assert page.get_by_label("Password", exact=True).input_value() == ""
    assert page.title().startswith("Error: ")


@EITHER_WAY
def test_a_wrong_password_is_told_above_the_form(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    page = open_page(scripts=scripts)
    log_in(page, "nobody")
    expect(page.get_by_role("alert")).to_contain_text("That username and password do not match.")
    assert page.get_by_label("Username or e-mail").input_value() == "nobody"
    assert page.get_by_label("Password", exact=True).input_value() == ""


# --- keyboard, small screens, screen readers ------------------------------------------------------


def tab_to(page: Page, name: str, role: str = "") -> None:
    """Press Tab until the element of this accessible name has the focus, as a person would."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(e => [e.labels?.[0]?.textContent.trim() || e.textContent.trim(), e.tagName])"
            "(document.activeElement)"
        )
        if focused[0] == name and focused[1].lower() == (role or focused[1].lower()):
            return
    raise AssertionError(f"Tab never came to {name}")


def test_the_keyboard_is_enough(open_page: Callable[..., Page]) -> None:
    page, name = open_page(), new_name()
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab_to(page, "Create account", "a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/register")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(name)
    tab_to(page, "E-mail")
    page.keyboard.type(f"{name}@example.com")
    tab_to(page, "Password", "input")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/"))
    tab_to(page, "Resource", "a")
    page.keyboard.press("Enter")
    expect_cat(page)
    tab_to(page, "Log out", "button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation").get_by_role("link", name="Log in")).to_be_visible()


def test_a_refused_form_brings_the_keyboard_to_the_field(open_page: Callable[..., Page]) -> None:
    page, name = open_page(), new_name()
    register(page, name, "newuseroke")
    page.wait_for_function("document.activeElement.id === 'email'")


@pytest.fixture(scope="module")
def state(chromium: Browser, server: Server) -> Any:
    """What a browser keeps in which a person is signed in."""
    with closing(chromium.new_context(base_url=server.url)) as context:
        sign_in(context.new_page())
        return context.storage_state()


PAGES = [(path, False) for path in SIGNED_OUT] + [(path, True) for path in SIGNED_IN]
EACH_PAGE = pytest.mark.parametrize(
    ("path", "person"), PAGES, ids=[f"{path} {'in' if person else 'out'}" for path, person in PAGES]
)


@EACH_PAGE
def test_a_page_fits_its_screen(
    open_page: Callable[..., Page], state: Any, path: str, person: bool
) -> None:
    page = open_page(storage_state=state if person else None)
    page.goto(path)
    for width in (360, 1400):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


FAULTS = """() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const name = (e) => e.getAttribute("aria-label") || e.textContent.trim() || e.title ||
    [...e.querySelectorAll("img")].map((i) => i.alt).join("");
  if (!document.documentElement.lang) faults.push("the page has no language");
  if (!document.title.trim()) faults.push("the page has no title");
  if (all("h1").length !== 1) faults.push(`there are ${all("h1").length} first headings`);
  if (all("main").length !== 1) faults.push(`there are ${all("main").length} main parts`);
  for (const e of all("img:not([alt])")) faults.push(`no alt: ${e.outerHTML}`);
  for (const e of all("svg[role=img]"))
    if (!e.querySelector("title")?.textContent) faults.push("a picture has no title");
  for (const e of all("input:not([type=hidden]):not([hidden]), textarea, select"))
    if (!e.labels?.length && !e.getAttribute("aria-label")) faults.push(`no label: ${e.outerHTML}`);
  for (const e of all("a[href], button")) if (!name(e)) faults.push(`no name: ${e.outerHTML}`);
  for (const e of all("[aria-describedby], [aria-labelledby], [aria-controls]"))
    for (const at of ["aria-describedby", "aria-labelledby", "aria-controls"])
      for (const id of (e.getAttribute(at) || "").split(" ").filter(Boolean))
        if (!document.getElementById(id)) faults.push(`${at} of nothing: ${id}`);
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids))
    if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`two of one id: ${id}`);
  let last = 1;
  for (const e of all("h1, h2, h3, h4")) {
    const level = Number(e.tagName[1]);
    if (level > last + 1) faults.push(`a heading is skipped before ${e.textContent}`);
    last = level;
  }
  return faults;
}"""


@EACH_PAGE
def test_a_page_can_be_heard(
    open_page: Callable[..., Page], state: Any, path: str, person: bool
) -> None:
    page = open_page(storage_state=state if person else None)
    page.goto(path)
    log_out = page.get_by_role("navigation").get_by_role("button", name="Log out")
    assert log_out.count() == int(person)
    # The vendored documentation viewer's own markup is left to its authors.
    page.evaluate("document.getElementById('swagger-ui')?.remove()")
    assert page.evaluate(FAULTS) == []


BACKGROUND = "getComputedStyle(document.documentElement).backgroundColor"


def test_a_page_is_drawn_for_dark_rooms_too(open_page: Callable[..., Page]) -> None:
    shades = []
    for scheme in ("light", "dark"):
        with closing(open_page(color_scheme=scheme)) as page:
            page.goto("/login")
            shades.append(page.evaluate(BACKGROUND))
    assert shades[0] != shades[1]
