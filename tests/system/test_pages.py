"""Every page in every state: accessible, light, still, on a small screen and by keyboard.

What the states are, and how each is reached, stands in tests/support/states.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from tests.support.environment import ROOT, missing
from tests.support.states import (
    LANGUAGES,
    PERSON,
    STATES,
    Services,
    State,
    form_with,
    log_in,
    log_out,
    running_services,
    send,
)

AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Between them the two languages have every theme on every width; the first is also the one that
# the page is opened with.
SCREENS: dict[str, tuple[tuple[Literal["light", "dark"], int], ...]] = {
    "en": (("light", 1400), ("dark", 360)),
    "id": (("light", 360), ("dark", 1400)),
}
NARROW = (320, 360)
MOST_BYTES = 60_000
# Other people's code inside our page; what stands here is all that is left out of the checks.
FOREIGN = "#swagger-ui"
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => window.shifts.push(
    ...list.getEntries().filter((shift) => !shift.hadRecentInput).map((shift) =>
      `${shift.value.toFixed(4)} ${shift.sources.map((s) => s.node?.nodeName + "." +
        s.node?.className).join(", ")}`)
  )).observe({ type: "layout-shift", buffered: true });
"""
SETTLED = """async () => {
  await document.fonts.ready;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return window.shifts;
}"""
RUN_AXE = """async ([rules, foreign]) => {
  const found = await axe.run({ exclude: [[foreign]] }, {
    resultTypes: ["violations"], runOnly: rules,
  });
  return found.violations.map(({ id, nodes }) =>
    `${id}: ${nodes.map((node) => node.target).join(" | ")}`);
}"""
SMALL_TARGETS = """(foreign) => {
  const small = [];
  const selector = "a[href], button, input:not([type=hidden]), select, textarea, summary";
  for (const e of document.querySelectorAll(selector)) {
    if (e.closest(foreign) || e.matches(".skip") || !e.checkVisibility()) continue;
    const inText = e.matches("a") && getComputedStyle(e).display === "inline" &&
      e.parentElement.textContent.trim() !== e.textContent.trim();
    if (inText) continue;  // WCAG 2.5.8: Inline
    const tick = e.matches("[type=checkbox], [type=radio]");
    const box = (tick && e.labels.length ? e.labels[0] : e).getBoundingClientRect();
    const least = tick || e.matches("a:not(.button)") ? 24 : 44;
    if (box.height < least - 0.5 || box.width < 23.5)
      small.push(`${Math.round(box.width)}x${Math.round(box.height)} ${e.outerHTML.slice(0, 90)}`);
  }
  return small;
}"""
FOCUSED = """(foreign) => {
  const e = document.activeElement;
  window.stops ??= new Set();
  if (!e || e === document.body || window.stops.has(e)) return null;
  window.stops.add(e);
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(e);
  const box = e.getBoundingClientRect();
  return {
    ring: (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none",
    inView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    primary: e.matches("main .primary"),
    foreign: Boolean(e.closest(foreign)),
    html: e.outerHTML.slice(0, 90),
  };
}"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with running_services(tmp_path_factory.mktemp("pages")) as services:
        yield services


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        missing("axe-core, which npm installs into tests/node,")
    return AXE.read_text(encoding="utf-8")


class Visit:
    """What is noticed while a page opens."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.requests: list[Request] = []

    def watch(self, page: Page) -> None:
        page.add_init_script(SHIFTS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfinished", self._note)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        # That a page itself is a refusal is no fault.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def missing(self) -> list[str]:
        """What belongs to the page and did not come."""
        answers = [(r, r.response()) for r in self.requests if not r.is_navigation_request()]
        return [f"{a.status} {r.url}" for r, a in answers if a is not None and a.status >= 400]

    def bytes(self) -> int:
        """What came, with its headers, without Swagger UI."""
        counted = [r.sizes() for r in self.requests if "/swagger-ui/" not in r.url]
        return sum(s["responseBodySize"] + s["responseHeadersSize"] for s in counted)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_page_has_no_fault(
    chromium: Browser, services: Services, axe: str, state: State, language: str
) -> None:
    visit = Visit()
    first_theme, first_width = SCREENS[language][0]
    options: dict[str, Any] = {
        "viewport": {"width": first_width, "height": 800},
        "color_scheme": first_theme,
        "reduced_motion": "reduce",
    }
    with services.open(chromium, state, language, visit.watch, **options) as (page, status):
        found = [] if status == state.status else [f"status {status} instead of {state.status}"]
        found += [f"layout shift {shift}" for shift in page.evaluate(SETTLED)]
        if state.opened:
            page.wait_for_load_state("networkidle")
            if visit.bytes() > MOST_BYTES:
                found.append(f"weight {visit.bytes()} bytes")
        if page.locator("html").get_attribute("lang") != language:
            found.append("language is another")
        page.evaluate(axe)
        for theme, width in SCREENS[language]:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": 800})
            found += [
                f"axe {each} ({theme}, {width})"
                for each in page.evaluate(RUN_AXE, [RULES, FOREIGN])
            ]
            found += [f"target {each} at {width}" for each in page.evaluate(SMALL_TARGETS, FOREIGN)]
        for width in NARROW:
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            found += [f"scrolls sideways: {wide} at {width}"] if wide > width else []
        found += _by_keyboard(page) if language == "en" else []
        found += [f"console {each}" for each in visit.complaints]
        found += [f"missing {each}" for each in visit.missing()]
    assert not found, "\n".join(found)


def _by_keyboard(page: Page) -> list[str]:
    """Go through the page with Tab: the focus is seen, and comes to what the page is for."""
    found, came = [], False
    for _ in range(150):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED, FOREIGN)
        if at is None:
            break
        came = came or at["primary"]
        if not at["foreign"] and not (at["ring"] and at["inView"]):
            found.append(f"focus is not seen: {at['html']}")
    if not came and page.locator("main .primary").locator("visible=true").count():
        found.append("Tab does not come to the main action")
    return found


def test_everything_works_without_scripts(chromium: Browser, services: Services) -> None:
    """Register, log in, change the account, log out."""
    home = next(state for state in STATES if state.name == "home")
    with services.open(chromium, home, "en", java_script_enabled=False) as (page, _):
        name, email = "noscript", "noscript@example.com"
        page.goto("/register")
        send(page, {"username": name, "email": email, "password": PERSON["password"]})
        page.context.clear_cookies()
        log_in(page, name, PERSON["password"])
        page.goto("/account")
        proof = {"current_password": PERSON["password"]}
        send(page, {"username": "changed", "email": email} | proof)
        page.goto("/account")
        username = form_with(page, "username", "email").locator("[name=username]")
        expect(username).to_have_value("changed")
        log_out(page)
        page.goto("/account")
        assert "/login" in page.url
