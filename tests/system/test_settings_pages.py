"""The settings pages in a real browser, with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import Page, expect

from tests.system.test_browser import (
    EITHER_WAY,
    PASSWORD,
    log_in,
    open_page,
    person,
    server,
    submit,
)

pytestmark = pytest.mark.system
__all__ = ["open_page", "person", "server"]

NEW_PASSWORD = "another horse battery"
# What is not wholly seen of these elements; another text in each of them.
CUT = """(elements) => elements.filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.innerText)"""
SAY = "(elements, text) => elements.forEach((e) => { e.textContent = text; })"


def change_password(page: Page, new_password: str) -> None:
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(new_password)
    submit(page, "Change password")


@EITHER_WAY
def test_a_refused_page_can_be_opened_again(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    """D6."""
    page = open_page(scripts=scripts)
    log_in(page, person)
    page.goto("/account/password")
    change_password(page, "password1")
    expect(page).to_have_title(re.compile("^Error: "))
    page.goto(page.url)  # Enter in the address bar
    expect(page.get_by_role("heading", level=1)).to_have_text("Password")
    expect(page.get_by_label("Current password", exact=True)).to_be_visible()


@EITHER_WAY
def test_after_a_weak_password_the_first_emptied_field_has_the_focus(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    """D14."""
    page = open_page(scripts=scripts)
    log_in(page, person)
    page.goto("/account/password")
    change_password(page, "password1")
    current = page.get_by_label("Current password", exact=True)
    expect(current).to_be_focused()
    expect(current).to_have_value("")
    expect(page.get_by_label("New password", exact=True)).to_have_attribute("aria-invalid", "true")


@EITHER_WAY
def test_what_is_said_after_saving_holds(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    """D17."""
    page = open_page(scripts=scripts)
    log_in(page, person)
    page.goto("/account/profile")
    for email, told in [
        (f"{person}@example.com", "Nothing has changed"),
        (f"new.{person}@example.com", "Your changes are saved."),
    ]:
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Current password", exact=True).fill(PASSWORD)
        submit(page, "Save changes")
        expect(page.locator(".flash")).to_contain_text(told)
    page.goto("/account/password")
    change_password(page, PASSWORD)
    expect(page.get_by_text("The new password is the current one.")).to_be_visible()


def test_success_has_the_focus_so_that_it_is_heard(
    open_page: Callable[..., Page], person: str
) -> None:
    """D19."""
    page = open_page()
    log_in(page, person)
    page.goto("/account/password")
    change_password(page, NEW_PASSWORD)
    expect(page.get_by_role("status").filter(has_text="Your password is changed.")).to_be_focused()


def test_the_reveal_button_says_one_thing_of_its_state(
    open_page: Callable[..., Page], person: str
) -> None:
    """D20: not "Hide password, pressed"."""
    page = open_page()
    log_in(page, person)
    page.goto("/account/password")
    button = page.get_by_role("button", name="Show current password")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#current_password")).to_have_attribute("type", "text")


@EITHER_WAY
def test_devices_are_rows_and_the_others_are_logged_out_by_one_button(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    page, others = open_page(scripts=scripts), [open_page(), open_page()]
    for each in (*others, page):
        log_in(each, person)
    page.set_viewport_size({"width": 1400, "height": 800})
    page.goto("/account/devices")
    rows = page.locator(".devices li")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("This device")
    heights = rows.evaluate_all("rows => rows.map((row) => row.offsetHeight)")
    assert heights == [72, 72, 72]
    rows.first.locator("summary").click()
    expect(rows.first.get_by_text("Mozilla/5.0")).to_be_visible()
    submit(page, "Log out everywhere else")
    expect(page.get_by_text("2 other devices are logged out.")).to_be_visible()
    expect(rows).to_have_count(1)
    submit(page, "Log out ")
    expect(page.get_by_text("You are logged out.")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "id"])
def test_rows_of_devices_have_72_pixels_on_a_phone(
    open_page: Callable[..., Page], person: str, language: str
) -> None:
    phones = [
        "Mozilla/5.0 (Linux; Android 14) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 14) MiuiBrowser/14 Chrome/130.0.0.0 Mobile Safari/537.36",
    ]
    for phone in phones:
        log_in(open_page(user_agent=phone), person)
    page = open_page(user_agent=phones[0])
    log_in(page, person)
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"/account/devices?lang={language}")
    rows = page.locator(".devices li")
    expect(rows).to_have_count(3)
    # The name of the device that one is at may be cut, where its mark stands beside it.
    texts = ":is(.device, .place, .badge, summary, button)"
    cut = rows.locator(texts).evaluate_all(CUT)
    assert cut == [f"Samsung Internet {'on' if language == 'en' else 'di'} Android"]
    for address in ("127.0.0.1", "2001:db8:85a3:8d3:1319:8a2e:370:7348"):
        rows.locator(".place").evaluate_all(SAY, address)
        assert rows.locator("summary").evaluate_all(CUT) == []
        heights = rows.evaluate_all("rows => rows.map((row) => row.offsetHeight)")
        assert heights == [72, 72, 72]
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    rows.last.locator("summary").click()
    expect(rows.last.get_by_text("127.0.0.1")).to_be_visible()


@pytest.mark.parametrize(("language", "clock"), [("en", "%-I:%M"), ("id", "%H.%M")])
def test_exact_times_are_in_the_zone_and_the_language_of_the_reader(
    open_page: Callable[..., Page], person: str, language: str, clock: str
) -> None:
    page = open_page(timezone_id="Asia/Jakarta")
    log_in(page, person)
    page.goto(f"/account/devices?lang={language}")
    page.locator(".devices summary").first.click()
    time = page.locator("time.exact").first
    moment = datetime.fromisoformat(str(time.get_attribute("datetime")))
    local = moment.astimezone(timezone(timedelta(hours=7))).strftime(clock)
    expect(time).to_contain_text(re.compile(rf"\D{re.escape(local)}(\s[AP]M)?$"))


@EITHER_WAY
def test_deleting_takes_two_steps(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    page = open_page(scripts=scripts)
    log_in(page, person)
    page.goto("/account/delete")
    expect(page.get_by_label("Current password", exact=True)).to_be_hidden()
    page.get_by_text("I want to delete my account").click()
    page.get_by_label("Your username").fill("another")
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    submit(page, "Delete my account")
    expect(page.get_by_label("Your username")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Your username").fill(person)
    page.get_by_label("Current password", exact=True).fill(PASSWORD)
    submit(page, "Delete my account")
    expect(page.get_by_text("Your account is deleted.")).to_be_visible()
