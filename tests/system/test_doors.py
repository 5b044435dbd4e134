"""Two tabs, a login that ended elsewhere, limits and double clicks, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.support.http import once
from tests.support.servers import Server, run_server
from tests.system.test_browser import (
    EITHER_WAY,
    PASSWORD,
    log_in,
    new_name,
    open_page,
    paste,
    person,
    submit,
)

pytestmark = pytest.mark.system
__all__ = ["open_page", "person"]

OUTDATED = "You logged in or out in another tab meanwhile. Check the form and send it again."
ENDED = "Your login here has ended. Log in again to go on."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that limits."""
    folder = tmp_path_factory.mktemp("doors")
    url = f"sqlite:///{folder / 'test.db'}"
    with run_server(folder, url, WORKERS="1", RATELIMIT_ENABLED="true") as server:
        yield server


def second_tab(page: Page, path: str) -> Page:
    tab = page.context.new_page()
    tab.goto(path)
    return tab


def log_out(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("banner").get_by_role("button", name="Log out").click()


def end_logins(server: Server, name: str) -> None:
    """Change the password elsewhere, and so end every other login."""
    answer = once(server.url, "POST", "/login", username=name, password=PASSWORD)
    changed = once(
        server.url, "POST", "/api/auth/password/", answer.json()["access_token"],
        current_password=PASSWORD, new_password=f"{PASSWORD} 2",
    )  # fmt: skip
    assert changed.status == 200


def fill_login(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Username or e-mail").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    submit(page, "Log in")


@EITHER_WAY
def test_the_login_of_a_second_tab_is_no_dead_end(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    """D1."""
    page = open_page(scripts=scripts)
    page.goto("/login?next=/account/devices")
    other = second_tab(page, "/login")
    log_in(other, person)
    fill_login(page, person)
    expect(page).to_have_url(re.compile("/account/devices$"))


@EITHER_WAY
def test_a_settings_form_that_was_open_meanwhile_is_shown_again(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    """D1."""
    page = open_page(scripts=scripts)
    log_in(page, person)
    page.goto("/account/profile")
    other = second_tab(page, "/")
    log_out(other)
    log_in(other, person)
    for said in (OUTDATED, "Your changes are saved."):
        page.get_by_label("E-mail").fill(f"new.{person}@example.com")
        page.get_by_label("Current password", exact=True).fill(PASSWORD)
        submit(page, "Save changes")
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.get_by_label("E-mail")).to_have_value(f"new.{person}@example.com")
        expect(page.get_by_label("Current password", exact=True)).to_have_value("")


@EITHER_WAY
def test_logging_out_in_two_tabs_leads_home(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    """D1."""
    page = open_page(scripts=scripts)
    log_in(page, person)
    log_out(second_tab(page, "/"))
    log_out(page)
    expect(page).to_have_url(re.compile(":[0-9]+/$"))
    expect(page.get_by_role("banner").get_by_role("link", name="Log in")).to_be_visible()


@EITHER_WAY
def test_a_login_that_ended_elsewhere_leads_to_the_login_and_back(
    open_page: Callable[..., Page], server: Server, person: str, scripts: bool
) -> None:
    """D2."""
    page = open_page(scripts=scripts)
    log_in(page, person)
    page.goto("/account/profile")
    end_logins(server, person)
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    submit(page, "Save changes")
    expect(page).to_have_url(re.compile(r"/login\?next=/account/profile$"))
    expect(page.get_by_text(ENDED)).to_be_visible()
    fill_login(page, person, f"{PASSWORD} 2")
    expect(page).to_have_url(re.compile("/account/profile$"))


def swallow(page: Page, path: str) -> list[Request]:
    """Answer the forms for a path so that the browser stays on the page; what it sent there."""
    sent: list[Request] = []

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request)
            route.fulfill(status=204)
        else:
            route.continue_()

    page.route(f"**{path}", answer)
    return sent


def test_a_second_click_sends_nothing(open_page: Callable[..., Page]) -> None:
    """D3: two clicks told that the own e-mail is taken."""
    page, name = open_page(), new_name()
    sent = swallow(page, "/register")
    page.goto("/register")
    page.get_by_label("Username").fill(name)
    page.get_by_label("E-mail").fill(f"{name}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    button = page.get_by_role("main").locator("form button:not([type=button])")
    button.dblclick(force=True)
    expect(button).to_have_attribute("aria-disabled", "true")
    button.click(force=True)
    page.get_by_label("Username").press("Enter")
    assert len(sent) == 1


def test_the_button_says_what_is_done_and_comes_back(
    open_page: Callable[..., Page], person: str
) -> None:
    """D3."""
    page = open_page()
    log_in(page, person)
    page.goto("/account/profile")
    sent = swallow(page, "/account/profile")
    button = page.get_by_role("main").locator("form button.primary")
    width = button.evaluate("e => e.offsetWidth")
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    button.click()
    expect(button).to_have_text("Saving…")
    expect(button).to_have_attribute("aria-disabled", "true")
    assert button.evaluate("e => e.offsetWidth") == width
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(button).to_have_text("Save changes")
    button.click()
    expect(button).to_have_text("Saving…")
    assert len(sent) == 2


def test_what_holds_an_access_token_is_forgiven(
    open_page: Callable[..., Page], server: Server, person: str
) -> None:
    """D4."""
    answer = once(server.url, "POST", "/login", username=person, password=PASSWORD)
    page = open_page()
    for pasted in (answer.body.decode(), f"Bearer {answer.json()['access_token']}"):
        paste(page, pasted)
        expect(page.get_by_text("This token opens account number")).to_be_visible()
    page.get_by_role("link", name="Open it again").click()
    page.get_by_label("Access token").fill(answer.json()["refresh_token"])
    submit(page, "Open the resource")
    expect(page.get_by_text("This is your refresh token. Paste the access token")).to_be_visible()


@EITHER_WAY
def test_a_limit_keeps_the_form_and_says_when(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    """D9."""
    page = open_page(scripts=scripts, locale="en-GB", timezone_id="Asia/Jakarta")
    name = new_name()
    page.goto("/login")
    for number in range(1, 12):
        fill_login(page, name, "a wrong one")
        warned = page.get_by_text("Two more tries, then wait 15 minutes.")
        expect(warned).to_have_count(1 if number == 8 else 0)
    told = r"Try again at \d" if scripts else r"Try again in 1[45] minutes\."
    summary = page.locator(".summary")
    expect(summary).to_have_text(re.compile(f"Too many wrong passwords. {told}"))
    expect(page.get_by_label("Username or e-mail")).to_have_value(name)
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
