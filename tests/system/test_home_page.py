"""The home page in a real browser: its examples, and what a logged-in person sees."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.environment import wait_until
from tests.support.servers import Server, run_server

PASSWORD = "correct horse battery"
LANGUAGES = ("curl", "fetch", "PHP", "Python")
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((e) => e.value)))
    .observe({ type: "layout-shift", buffered: true });
"""
SETTLED = """async () => {
  await document.fonts.ready;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return window.shifts;
}"""
IDLE_STOPS = """() => [...document.querySelectorAll("pre[tabindex]")]
  .filter((box) => box.scrollHeight <= box.clientHeight).length"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("home")
    with run_server(folder, f"sqlite:///{folder / 'test.db'}", WORKERS="1") as server:
        yield server


@pytest.fixture
def open_home(chromium: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    contexts = []

    def make(**options: Any) -> Page:
        context = chromium.new_context(base_url=server.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(SHIFTS)
        page.goto("/")
        return page

    yield make
    for context in contexts:
        context.close()


def try_it(page: Page, call: str, status: str) -> None:
    page.locator(f"#{call} .try").click()
    expect(page.locator(f"#{call} .status")).to_contain_text(status)


def post(server: Server, path: str, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(Request(server.url + path, urlencode(fields).encode())) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def log_in(page: Page, server: Server, name: str) -> None:
    fields = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert post(server, "/register", fields)[0] == 201
    page.goto("/login")
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{server.url}/")


def test_the_examples_are_sent_one_after_the_other(open_home: Callable[..., Page]) -> None:
    page = open_home()
    name = page.locator(".demo").get_attribute("data-name")
    assert name is not None
    expect(page.locator(".demo")).to_contain_text(f"creates the account {name} here")
    try_it(page, "resource", "not sent")
    expect(page.locator("#resource .answer")).to_contain_text("Try “Log in” first.")
    try_it(page, "login", "not sent")
    try_it(page, "register", "201")
    expect(page.locator("#register .request")).to_contain_text(f"username={name}")
    try_it(page, "login", "200")
    try_it(page, "resource", "200")
    expect(page.locator("#resource .answer")).to_contain_text("akses sukses")


def test_no_sample_stands_for_an_answer_that_has_not_come(open_home: Callable[..., Page]) -> None:
    """D10: beside the request that is sent there is "waiting…", not the sample's answer."""
    page = open_home()
    held: list[Route] = []
    page.route("**/register", lambda route: held.append(route))  # noqa: PLW0108, Playwright marks it
    try_it(page, "register", "waiting…")
    expect(page.locator("#register .answer")).to_have_text("…")
    expect(page.locator("#register .status")).to_have_class("status")
    expect(page.locator("#register .request")).to_contain_text("username=demo-")
    held[0].abort()
    expect(page.locator("#register .status")).to_contain_text("no answer")


def test_the_account_of_the_examples_is_deleted_when_the_person_leaves(
    open_home: Callable[..., Page], server: Server
) -> None:
    page = open_home()
    with page.expect_response("**/login"):  # by which the page gets what deletes the account
        try_it(page, "register", "201")
    sent = page.locator("#register .request").inner_text().replace("\n", "")
    fields = dict(part.split("=", 1) for part in sent.partition("username=")[2].split("&")[1:])
    name = page.locator(".demo").get_attribute("data-name")
    account = {"username": str(name), "password": fields["password"]}
    assert post(server, "/login", account)[0] == 200
    page.goto("/login")
    wait_until(lambda: post(server, "/login", account)[0] == 401, "the account to be deleted")


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("person", [False, True], ids=["out", "in"])
def test_nothing_moves_while_the_page_opens(
    open_home: Callable[..., Page], server: Server, width: int, person: bool
) -> None:
    """D22: the sentence about "Try it" came with the script and pushed down what follows."""
    page = open_home(viewport={"width": width, "height": 2400})
    if person:
        log_in(page, server, f"still{width}")
    assert page.evaluate(SETTLED) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_each_request_can_be_read_in_each_language(
    open_home: Callable[..., Page], scripts: bool
) -> None:
    page = open_home(java_script_enabled=scripts)
    for call in ("register", "login", "resource"):
        tabs = page.locator(f"#{call} .tabs")
        for language in LANGUAGES:
            tabs.get_by_label(language, exact=True).check()
            shown = tabs.locator("pre:visible")
            expect(shown).to_have_count(1)
            expect(shown).to_contain_text(f"/{call}")
            expect(tabs.locator("button.copy:visible")).to_have_count(int(scripts))
    expect(page.locator(".demo")).to_be_visible(visible=scripts)


def test_a_language_is_chosen_for_all_and_copied(open_home: Callable[..., Page]) -> None:
    page = open_home(permissions=["clipboard-read", "clipboard-write"])
    page.locator("#register .tabs").get_by_label("PHP").check()
    page.locator("#login button.copy:visible").click()
    assert page.evaluate("navigator.clipboard.readText()") == (
        page.locator("#login-PHP").inner_text()
    )


def test_what_does_not_scroll_is_no_stop_for_the_keyboard(open_home: Callable[..., Page]) -> None:
    page = open_home()
    assert page.evaluate(IDLE_STOPS) == 0
    try_it(page, "register", "201")
    try_it(page, "login", "200")
    assert page.evaluate(IDLE_STOPS) == 0
    page.set_viewport_size({"width": 360, "height": 800})
    expect(page.locator("#login .answer-box")).to_have_attribute("tabindex", "0")


def test_a_logged_in_person_is_spoken_to_and_the_token_is_folded(
    open_home: Callable[..., Page], server: Server
) -> None:
    page = open_home(timezone_id="Asia/Jakarta")
    log_in(page, server, "mira")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are logged in as mira")
    assert page.get_by_text("One login for all your apps").count() == 0
    for language, mark in (("en", ":"), ("id", "."), ("en", ":")):
        page.goto(f"/?lang={language}")
        moment = page.locator(".until time")
        hour, minute = str(moment.get_attribute("datetime"))[11:16].split(":")
        expect(moment).to_have_text(f"{(int(hour) + 7) % 24:02}{mark}{minute}")
    box = page.locator("#access-token-box")
    folded = box.evaluate("box => box.clientHeight")
    page.get_by_role("button", name="Show all").click()
    assert box.evaluate("box => box.clientHeight") > folded
    assert box.evaluate("box => box.scrollHeight - box.clientHeight") == 0
    page.get_by_role("button", name="Show less").click()
    assert box.evaluate("box => box.clientHeight") == folded


def test_without_scripts_the_token_is_whole(open_home: Callable[..., Page], server: Server) -> None:
    page = open_home(java_script_enabled=False)
    log_in(page, server, "plain")
    box = page.locator("#access-token-box").bounding_box()
    text = page.locator("#access-token").bounding_box()
    assert box is not None
    assert text is not None
    assert box["height"] > text["height"]


def test_the_page_is_light(open_home: Callable[..., Page], chromium: Browser) -> None:
    page = open_home()
    sizes: list[int] = []
    page.on(
        "requestfinished",
        lambda r: sizes.append(r.sizes()["responseBodySize"] + r.sizes()["responseHeadersSize"]),
    )
    page.reload(wait_until="networkidle")
    assert len(sizes) >= 5
    assert sum(sizes) < 60_000
