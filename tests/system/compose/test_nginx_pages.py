"""nginx's own pages in a real browser: nginx alone runs, as where every replica is down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.environment import docker_or_missing, wait_until
from tests.support.http import once
from tests.system.compose.stack import Stack, copy_files

pytestmark = pytest.mark.compose

# By status: the heading in both languages, and the cat.
PAGES = {
    404: ("There is nothing here", "Di sini kosong", "cat-box"),
    413: ("What you sent is too large", "Kiriman Anda terlalu besar", "cat-box"),
    421: ("This service has another address", "Layanan ini beralamat lain", "cat-door"),
    502: ("Back in a moment", "Sebentar, ya", "cat-cable"),
}
# Posts a form that is larger than nginx takes.
POST_TOO_MUCH = """() => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/login";
  const field = document.createElement("textarea");
  field.name = "username";
  field.value = "a".repeat(70_000);
  form.append(field);
  document.body.append(form);
  form.submit();
}"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_or_missing()
    files = copy_files(tmp_path_factory.mktemp("compose"))
    stack = Stack(files, f"loguserapp-test-{os.getpid()}-pages", APP_NAME="Warung Kopi")
    try:
        stack.compose("up", "-d", "--no-deps", "nginx")
        wait_until(lambda: _answers(stack), "nginx to start")
        yield stack
    finally:
        stack.down()


def _answers(stack: Stack) -> bool:
    try:
        return once(f"http://127.0.0.1:{stack.port}", "GET", "/metrics").status == 404
    except OSError:
        return False


@pytest.mark.parametrize("locale", ["en-US", "id-ID"])
@pytest.mark.parametrize("status", PAGES)
def test_a_page_of_nginx_is_one_of_the_service(
    chromium: Browser, stack: Stack, status: int, locale: str
) -> None:
    """D24: a heading for people, the brand, the cat that fits, and a way on."""
    english, indonesian, cat = PAGES[status]
    context = chromium.new_context(base_url=stack.url, locale=locale)
    page = context.new_page()
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status))
    _bring_about(page, status, stack.port)
    heading = indonesian if locale == "id-ID" else english
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    assert status in statuses
    expect(page).to_have_title(f"{heading} · Warung Kopi")
    expect(page.locator("html")).to_have_attribute("lang", locale[:2])
    expect(page.get_by_role("banner")).to_contain_text("Warung Kopi")
    expect(page.locator("img.cat")).to_have_attribute("src", re.compile(rf"/{cat}\.svg$"))
    seen = "all => all.every((image) => image.complete && image.naturalWidth > 0)"
    assert page.locator("img").evaluate_all(seen)
    action = page.get_by_role("main").get_by_role("link").first
    assert action.evaluate("link => link.offsetHeight") >= 44  # the style sheet came too
    if status == 502:
        expect(action).to_have_text("Coba lagi" if locale == "id-ID" else "Try again")
        with page.expect_response(f"{stack.url}/account/profile") as again:
            action.click()
        assert again.value.status == 502
    else:
        home = f"{stack.url}/"  # where the service is, and not the unknown name again
        assert action.evaluate("link => link.href") == home
        assert page.locator(".brand").evaluate("link => link.href") == home
    context.close()


def _bring_about(page: Page, status: int, port: int) -> None:
    """Have nginx answer with a status of its own."""
    if status == 413:
        page.goto("/metrics")
        with page.expect_navigation():
            page.evaluate(POST_TOO_MUCH)
        return
    elsewhere = f"http://elsewhere.localhost:{port}/"
    page.goto({404: "/metrics", 421: elsewhere, 502: "/account/profile"}[status])
