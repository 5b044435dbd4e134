"""Registering and logging in, in a real browser, with and without JavaScript."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.system.test_browser import (
    EITHER_WAY,
    PASSWORD,
    expect_cat,
    log_in,
    new_name,
    open_page,
    person,
    register,
    server,
    submit,
    submit_log_out,
)

pytestmark = pytest.mark.system
__all__ = ["open_page", "person", "server"]


def fill_registration(page: Page, name: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("E-mail").fill(f"{name}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)


@EITHER_WAY
def test_spaces_around_a_name_do_not_shut_a_person_out(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    """D5."""
    page, name = open_page(scripts=scripts), new_name()
    register(page, f" {name} ", f" {name}@example.com ")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"You are logged in as {name}")
    submit_log_out(page)
    log_in(page, f"{name} ")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"You are logged in as {name}")


def test_a_space_after_a_name_is_no_fault_while_it_is_typed(
    open_page: Callable[..., Page],
) -> None:
    """D5."""
    page = open_page()
    page.goto("/register")
    field = page.get_by_label("Username")
    field.fill(" mira ")
    field.blur()
    expect(field).to_have_value("mira")
    expect(field).not_to_have_attribute("aria-invalid", "true")


@EITHER_WAY
def test_where_both_are_taken_both_are_told_and_log_in_is_a_link(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    """D16, D17."""
    page = open_page(scripts=scripts)
    page.goto("/register?next=/resource")
    fill_registration(page, person)
    submit(page, "Create account")
    for label, message, link in (
        ("Username", "That username is taken. Try another, or log in if it is yours.", "log in"),
        ("E-mail", "That e-mail already has an account. Log in, or use another e-mail.", "Log in"),
    ):
        expect(page.get_by_label(label)).to_have_accessible_description(message)
        note = page.locator(".note.error").filter(has_text=message)
        log_in_link = note.get_by_role("link", name=link, exact=True)
        expect(log_in_link).to_have_attribute("href", "/login?next=%2Fresource")


@EITHER_WAY
def test_where_a_person_wanted_to_go_is_kept_through_registering(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    """D7."""
    page, name = open_page(scripts=scripts), new_name()
    page.goto("/login?next=/resource")
    page.get_by_role("main").get_by_role("link", name="Create account").click()
    page.get_by_role("main").get_by_role("link", name="Log in").click()
    page.get_by_role("main").get_by_role("link", name="Create account").click()
    fill_registration(page, "x")
    submit(page, "Create account")  # refused: it is kept nevertheless
    fill_registration(page, name)
    submit(page, "Create account")
    expect(page).to_have_url(re.compile(r"/resource$"))
    expect(page.get_by_text("Your account is ready.")).to_be_visible()
    expect_cat(page)


@EITHER_WAY
def test_who_is_logged_in_sees_no_form_for_another_account(
    open_page: Callable[..., Page], person: str, scripts: bool
) -> None:
    """D8."""
    page = open_page(scripts=scripts)
    log_in(page, person)
    page.goto("/register")
    expect(page).to_have_url(re.compile(r"[^r]/$"))
    page.goto("/register?next=/resource")
    expect(page).to_have_url(re.compile(r"/resource$"))


@pytest.mark.parametrize("keep", [False, True])
def test_the_cookie_outlives_the_browser_only_if_that_was_asked_for(
    open_page: Callable[..., Page], person: str, keep: bool
) -> None:
    page = open_page()
    page.goto("/login")
    page.get_by_label("Username or e-mail").fill(person)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    box = page.get_by_role("checkbox", name="Keep me logged in")
    expect(box).not_to_be_checked()
    box.set_checked(keep)
    submit(page, "Log in")
    (cookie,) = [each for each in page.context.cookies() if each["name"] == "session"]
    if keep:
        assert cookie["expires"] > time.time() + 24 * 3600
    else:
        assert cookie["expires"] == -1


@EITHER_WAY
def test_a_refused_login_keeps_what_was_ticked(
    open_page: Callable[..., Page], scripts: bool
) -> None:
    page = open_page(scripts=scripts)
    page.goto("/login")
    page.get_by_label("Username or e-mail").fill("nobody")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Keep me logged in").check()
    submit(page, "Log in")
    expect(page.get_by_label("Keep me logged in")).to_be_checked()


@EITHER_WAY
@pytest.mark.parametrize(
    ("path", "label"), [("/login", "Username or e-mail"), ("/register", "Username")]
)
def test_the_first_field_has_the_focus(
    open_page: Callable[..., Page], scripts: bool, path: str, label: str
) -> None:
    page = open_page(scripts=scripts)
    page.goto(path)
    expect(page.get_by_label(label)).to_be_focused()


@pytest.mark.parametrize(
    ("label", "typed"), [("E-mail", "x@y"), ("Username", ""), ("E-mail", ""), ("Username", "a b")]
)
def test_the_look_at_a_field_and_the_server_agree(
    open_page: Callable[..., Page], label: str, typed: str
) -> None:
    """D18."""
    page = open_page()
    page.goto("/register")
    field = page.get_by_label(label)
    field.fill("something")
    field.blur()
    field.fill(typed)
    field.blur()
    expect(field).to_have_attribute("aria-invalid", "true")
    said = page.locator(f"#{field.get_attribute('id')}-note").inner_text()
    submit(page, "Create account")
    expect(page.get_by_label(label)).to_have_attribute("aria-invalid", "true")
    if not typed:
        assert said == f"Enter your {label.lower()}."
        expect(page.get_by_label(label)).to_have_accessible_description(said)


@pytest.mark.parametrize("path", ["/register", "/account/password"])
def test_a_weak_password_is_told_when_its_field_is_left(
    open_page: Callable[..., Page], person: str, path: str
) -> None:
    page = open_page()
    if path != "/register":
        log_in(page, person)
    page.goto(path)
    field = page.get_by_label("Password" if path == "/register" else "New password", exact=True)
    hint = field.evaluate("input => document.getElementById(`${input.id}-note`).textContent")
    field.fill("password1")
    field.blur()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).not_to_have_accessible_description(hint)
    field.fill(PASSWORD)
    with page.expect_response("**/password/strength") as judged:
        field.blur()
    assert judged.value.json() == {"message": ""}
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(hint)
