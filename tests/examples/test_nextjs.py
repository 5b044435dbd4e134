"""The Next.js front end, in a real browser and by plain HTTP, on two Node.js processes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, cycle
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.databases import execute, select
from tests.support.environment import free_port, wait_until
from tests.support.examples import FrontEnd, run_nextjs, unused_port
from tests.support.http import Answer, Connection, once
from tests.support.servers import Server, run_server

pytestmark = pytest.mark.examples

ROUNDS = 100
PARALLEL = 20  # page loads at once, over both processes
TABS = 5
TAB_ROUNDS = 5
PASSWORD = "correct horse battery"
NUMBERS = count(1)


@dataclass
class Notes:
    """A stand-in of the notes back end (examples/laravel has the real one)."""

    url: str
    texts: list[str]
    status: int = 200


@dataclass
class Parts:
    """The whole system: the service with its database, and two processes of the front end."""

    service: Server
    database: str
    fronts: list[FrontEnd]
    notes: Notes

    @property
    def url(self) -> str:
        """Where the front end says that it is."""
        return self.fronts[0].url


@pytest.fixture(scope="module")
def parts(built_nextjs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    folder = tmp_path_factory.mktemp("nextjs")
    database = f"sqlite:///{folder / 'test.db'}"
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        service = stack.enter_context(
            run_server(
                folder, database,
                CLIENT_REDIRECT_URLS=f"http://127.0.0.1:{ports[0]}/callback", SOCIAL_DEMO="true",
            )
        )  # fmt: skip
        notes = stack.enter_context(serving_notes())
        settings = {
            "LOGUSERAPP_URL": service.url, "APP_URL": f"http://127.0.0.1:{ports[0]}",
            "LARAVEL_URL": notes.url,
        }  # fmt: skip
        fronts = [
            stack.enter_context(run_nextjs(built_nextjs, port, folder / f"{port}.log", **settings))
            for port in ports
        ]
        yield Parts(service, database, fronts, notes)


@contextmanager
def serving_notes() -> Iterator[Notes]:
    notes = Notes("", [])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = [
                {"id": number, "text": text, "created_at": "2026-11-27T03:00:00Z"}
                for number, text in enumerate(notes.texts, 1)
            ]
            self._answer(notes.status, {"notes": found})

        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
            if notes.status == 200:
                notes.texts.append(text)
            self._answer(201 if notes.status == 200 else notes.status, {"id": len(notes.texts)})

        def _answer(self, status: int, body: object) -> None:
            assert self.headers["Authorization"].startswith("Bearer eyJ")
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    notes.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield notes
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def person(parts: Parts) -> str:
    """The name of a person with an account."""
    name = f"person{next(NUMBERS)}"
    fields = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert once(parts.service.url, "POST", "/register", **fields).status == 201
    return name


@pytest.fixture
def open_page(chromium: Browser, parts: Parts) -> Iterator[Callable[..., Page]]:
    """Open a page of a new browser profile; what its console complains of fails the test."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def make(**options: object) -> Page:
            context = chromium.new_context(**{"base_url": parts.url, "locale": "en"} | options)  # type: ignore[arg-type]
            stack.callback(context.close)
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda message: _hear(message.type, message.text, complaints))
            return page

        yield make
    assert not complaints


def _hear(kind: str, text: str, complaints: list[str]) -> None:
    if kind in {"error", "warning"} and "Failed to load resource" not in text:
        complaints.append(text)


def log_in(page: Page, name: str, path: str = "/") -> None:
    page.goto(f"/login?next={path}")
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form button.primary").click()


def token(page: Page, name: str) -> str:
    """What a cookie of the front end holds, which no script of the page can tell."""
    return next((c["value"] for c in page.context.cookies() if c["name"] == name), "")


def sessions_of(parts: Parts, name: str) -> list[tuple[int, bool, int]]:
    """The sessions of a person: number, whether it is alive, which refresh token is current."""
    return [
        (number, revoked is None, rotation)
        for number, revoked, rotation in select(
            parts.database,
            "SELECT s.id, s.revoked_at, s.rotation FROM session s JOIN user u ON u.id = s.user_id "
            f"WHERE u.username = '{name}' ORDER BY s.id",
        )
    ]


# ---- Logging in and out ----


def test_a_new_person_registers_at_the_service_and_comes_back(
    open_page: Callable[..., Page], parts: Parts
) -> None:
    page = open_page(viewport={"width": 360, "height": 740}, locale="id")
    name = f"person{next(NUMBERS)}"
    page.goto("/")
    page.get_by_role("link", name="Buat akun").click()
    page.locator("[name=username]").fill(name)
    page.locator("[name=email]").fill(f"{name}@example.com")
    page.locator("[name=password]").fill(PASSWORD)
    # Another language on the way loses nothing of where it leads.
    page.get_by_role("link", name="English").click()
    page.locator("[name=username]").fill(name)
    page.locator("[name=email]").fill(f"{name}@example.com")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name=f"Halo, {name}")).to_be_visible()
    assert page.url == f"{parts.url}/"
    page.get_by_role("link", name="Buka resource").click()
    expect(page.get_by_role("heading", name="akses sukses")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_person_logs_in_sees_the_resource_and_logs_out(
    open_page: Callable[..., Page], parts: Parts, person: str, scripts: bool
) -> None:
    page = open_page(java_script_enabled=scripts)
    page.goto("/resource")
    page.get_by_role("main").get_by_role("link", name="Log in").click()
    page.locator("[name=username]").fill(person)
    page.locator("[name=password]").fill("not the password")
    page.locator("main form button.primary").click()
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form button.primary").click()
    expect(page.get_by_role("heading", name="akses sukses")).to_be_visible()
    cookies = {c["name"]: c for c in page.context.cookies() if c["name"] in {"access", "refresh"}}
    assert all(c["httpOnly"] and c["sameSite"] == "Lax" for c in cookies.values())
    if scripts:
        assert page.evaluate("document.cookie") == ""
    assert not any(token(page, name) in page.content() for name in ("access", "refresh"))

    kept = token(page, "refresh")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You are logged out.")).to_be_visible()
    assert not token(page, "access")
    assert not token(page, "refresh")
    refreshed = once(parts.service.url, "POST", "/api/auth/token/refresh/", refresh=kept)
    assert refreshed.status == 401


def test_a_person_whom_the_service_knows_presses_one_button(
    open_page: Callable[..., Page], person: str
) -> None:
    page = open_page()
    log_in(page, person)
    page.get_by_role("button", name="Log out").click()
    page.goto("/login?next=/devices")
    page.get_by_role("button", name=f"Continue as {person}").click()
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()


def test_a_person_comes_by_a_provider(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto("/login")
    page.get_by_role("link", name="Demo provider").click()
    page.get_by_role("button", name="Sari Wulandari").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()
    page.context.clear_cookies()
    page.goto("/login")
    page.get_by_role("link", name="Demo provider").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="You are not logged in")).to_be_visible()


@pytest.mark.parametrize(
    "path", ["/callback", "/callback?state=&code=x", "/callback?state=y&code=x"]
)
def test_a_login_that_was_not_begun_here_is_refused(
    open_page: Callable[..., Page], path: str
) -> None:
    page = open_page()
    page.goto(path)
    expect(page.get_by_role("heading", name="This login was not begun here")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("link", name="Log in")).to_be_visible()


def test_a_callback_counts_once(open_page: Callable[..., Page], person: str) -> None:
    page = open_page()
    seen: list[str] = []
    page.on(
        "request", lambda request: seen.append(request.url) if "/callback?" in request.url else None
    )
    log_in(page, person)
    expect(page.get_by_role("heading", name=f"Hello, {person}")).to_be_visible()
    # Once more in the same browser, which is logged in: nothing changes.
    before = token(page, "refresh")
    page.goto(seen[0])
    expect(page.get_by_role("heading", name="You are already logged in")).to_be_visible()
    assert token(page, "refresh") == before
    # In the browser that began it, the code is used up.
    page.context.clear_cookies()
    page.goto("/login")
    state = page.url.partition("state=")[2].partition("&")[0]
    code = seen[0].partition("code=")[2].partition("&")[0]
    page.goto(f"/callback?code={code}&state={state}")
    expect(page.get_by_role("heading", name="This login took too long")).to_be_visible()


def test_a_new_login_ends_the_session_before(
    open_page: Callable[..., Page], parts: Parts, person: str
) -> None:
    page = open_page()
    log_in(page, person)
    page.goto("/login")
    page.get_by_role("button", name=f"Continue as {person}").click()
    expect(page.get_by_role("heading", name=f"Hello, {person}")).to_be_visible()
    # The service's own pages have one, the front end one and no second.
    assert sum(alive for _, alive, _ in sessions_of(parts, person)) == 2


def test_another_site_cannot_log_a_person_out(
    open_page: Callable[..., Page], parts: Parts, person: str
) -> None:
    page = open_page()
    log_in(page, person)
    expect(page.get_by_role("heading", name=f"Hello, {person}")).to_be_visible()
    # Another port is the same site, so that the cookies come along, but not the same origin.
    page.goto(parts.service.url)
    page.evaluate(
        "url => { const f = document.createElement('form'); f.method = 'post'; f.action = url;"
        " document.body.append(f); f.submit(); }",
        f"{parts.url}/logout",
    )
    expect(page.get_by_role("heading", name="That was not sent from here")).to_be_visible()
    page.goto("/resource")
    expect(page.get_by_role("heading", name="akses sukses")).to_be_visible()


# ---- Devices, and what happens elsewhere ----


def test_a_person_ends_another_device(
    open_page: Callable[..., Page], parts: Parts, person: str
) -> None:
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1"
    fields = f"username={person}&password={PASSWORD}".replace(" ", "+").encode()
    login = Request(f"{parts.service.url}/api/auth/login/", fields, {"User-Agent": phone})
    with urlopen(login) as answer:
        pair = json.loads(answer.read())
    page = open_page()
    log_in(page, person, "/devices")
    expect(page.get_by_text("this device")).to_have_count(1)
    page.get_by_role("button", name="End Safari, iPhone").click()
    expect(page.get_by_text("That device is logged out.")).to_be_visible()
    expect(page.get_by_text("Safari, iPhone")).to_have_count(0)
    refused = once(parts.service.url, "POST", "/api/auth/token/refresh/", refresh=pair["refresh"])
    assert refused.status == 401


def test_a_logout_elsewhere_is_noticed_within_three_seconds(
    open_page: Callable[..., Page], parts: Parts, person: str
) -> None:
    page = open_page()
    log_in(page, person, "/resource")
    expect(page.get_by_role("heading", name="akses sukses")).to_be_visible()
    bearer = token(page, "access")
    assert [resource(front, bearer).status for front in parts.fronts] == [200, 200]
    # As an operator does it by hand: no worker of the service is told.
    execute(parts.database, f"UPDATE session SET revoked_at = CURRENT_TIMESTAMP WHERE user_id = ("
            f"SELECT id FROM user WHERE username = '{person}')")  # fmt: skip
    ended = time.monotonic()
    for front in parts.fronts:
        wait_until(lambda front=front: resource(front, bearer).status == 401, "the logout", 5)  # type: ignore[misc]
        assert resource(front, bearer).json()["code"] == "token_revoked"
    assert time.monotonic() - ended < 3
    page.reload()
    expect(page.get_by_role("heading", name="Log in to see this page")).to_be_visible()
    assert not token(page, "refresh")


def resource(front: FrontEnd, bearer: str) -> Answer:
    return once(front.url, "GET", "/api/resource", token=bearer)


def test_programs_get_the_answers_that_all_kits_give(parts: Parts, person: str) -> None:
    pair = once(
        parts.service.url, "POST", "/api/auth/login/", username=person, password=PASSWORD
    ).json()
    answer = once(parts.fronts[0].url, "GET", "/api/resource")
    assert (answer.status, answer.json()["code"]) == (401, "token_missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    for bad in (pair["refresh"], pair["access"][:-4], "x"):
        answer = resource(parts.fronts[0], bad)
        assert (answer.status, answer.json()["code"]) == (401, "token_invalid")
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    answer = resource(parts.fronts[0], pair["access"])
    ((number,),) = select(parts.database, f"SELECT id FROM user WHERE username = '{person}'")
    assert (answer.status, answer.json()) == (200, {"message": "akses sukses", "user": str(number)})


def test_every_page_has_the_security_headers(parts: Parts) -> None:
    for path in ("/", "/resource", "/nothing", "/api/resource"):
        headers = once(parts.url, "GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "X-Powered-By" not in headers
        if path != "/api/resource":
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]


# ---- Notes, and what is away ----


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_person_writes_a_note_and_loses_none(
    open_page: Callable[..., Page], parts: Parts, person: str, scripts: bool
) -> None:
    parts.notes.texts.clear()
    page = open_page(java_script_enabled=scripts)
    log_in(page, person, "/notes")
    page.get_by_label("New note").fill("Beli kopi <b>hitam</b>")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("listitem").filter(has_text="Beli kopi <b>hitam</b>")).to_be_visible()
    expect(page.get_by_label("New note")).to_have_value("")

    page.get_by_label("New note").fill("Beli gula")
    for status, said in ((503, "The note was not saved: the notes"), (422, "cannot be saved")):
        parts.notes.status = status
        try:
            page.get_by_role("button", name="Add note").click()
            expect(page.get_by_text(said)).to_be_visible()
            expect(page.get_by_label("New note")).to_have_value("Beli gula")
        finally:
            parts.notes.status = 200
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("listitem").filter(has_text="Beli gula")).to_be_visible()
    expect(page.get_by_label("New note")).to_have_value("")
    expect(page.get_by_text("Up to 2,000 characters.")).to_be_visible()


def test_a_page_says_that_the_notes_are_away(
    open_page: Callable[..., Page], parts: Parts, person: str
) -> None:
    page = open_page()
    log_in(page, person, "/resource")
    parts.notes.status = 503
    try:
        page.get_by_role("link", name="Notes").click()
        expect(page.get_by_text("Your notes cannot be shown")).to_be_visible()
    finally:
        parts.notes.status = 200


def test_a_service_that_is_away_logs_nobody_out(
    built_nextjs: Path, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    database = f"sqlite:///{tmp_path / 'test.db'}"
    port, service_port = free_port(), str(free_port())
    url = f"http://127.0.0.1:{service_port}"
    settings = {"CLIENT_REDIRECT_URLS": f"http://127.0.0.1:{port}/callback", "PORT": service_port}
    environment = {
        "LOGUSERAPP_URL": url,
        "APP_URL": f"http://127.0.0.1:{port}",
        "LARAVEL_URL": unused_port(),
    }
    fields = {"username": "away", "email": "away@example.com", "password": PASSWORD}
    with run_nextjs(built_nextjs, port, tmp_path / "log", **environment) as front:
        page = open_page(base_url=front.url)
        assert once(front.url, "GET", "/api/resource", token="x").status == 503
        with run_server(tmp_path, database, None, **settings):
            assert once(url, "POST", "/register", **fields).status == 201
            log_in(page, "away", "/resource")
            expect(page.get_by_role("heading", name="akses sukses")).to_be_visible()
        # The access token is still good, and is verified by the keys that are known.
        page.reload()
        expect(page.get_by_role("heading", name="akses sukses")).to_be_visible()
        page.goto("/devices")
        expect(
            page.get_by_role("heading", name="The login service does not answer")
        ).to_be_visible()
        # Once it has ended, only the service could renew it.
        page.context.clear_cookies(name="access")
        page.goto("/resource")
        expect(page.get_by_text("You are not logged out.")).to_be_visible()
        assert token(page, "refresh")
        with run_server(tmp_path, database, None, **settings):
            page.get_by_role("link", name="Try again").click()
            expect(page.get_by_role("heading", name="akses sukses")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_text("You are logged out in this browser.")).to_be_visible()
        assert not token(page, "refresh")


# ---- Many requests at the moment of expiry ----


class Jar:
    """The two cookies of a browser, which takes answers in the order in which they arrive."""

    def __init__(self, cookies: dict[str, str]) -> None:
        self.cookies = cookies

    def take(self, answer: Answer) -> None:
        for header in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def open_resource(url: str, cookies: dict[str, str]) -> Answer:
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    with Connection(url) as connection:
        connection._http.request(
            "GET", "/resource", headers={"Cookie": sent, "Accept": "text/html"}
        )
        response = connection._http.getresponse()
        return Answer(response.status, response.headers, response.read())


def test_parallel_page_loads_at_expiry_log_nobody_out(parts: Parts, person: str) -> None:
    """Every request of a round comes with the ended access token's cookie gone, as in a browser."""
    pair = once(
        parts.service.url, "POST", "/api/auth/login/", username=person, password=PASSWORD
    ).json()
    jar = Jar({"access": pair["access"], "refresh": pair["refresh"]})
    chance = random.Random(1)
    with ThreadPoolExecutor(PARALLEL) as threads:
        for number in range(1, ROUNDS + 1):
            jar.cookies.pop("access")
            urls = [
                front.url for front, _ in zip(cycle(parts.fronts), range(PARALLEL), strict=False)
            ]
            loads = [threads.submit(open_resource, url, dict(jar.cookies)) for url in urls]
            answers = [load.result() for load in as_completed(loads)]
            assert all(b"akses sukses" in answer.body for answer in answers), number
            # All were given one and the same refresh token.
            given = {SimpleCookie(c)["refresh"].value
                     for answer in answers for c in answer.headers.get_all("Set-Cookie") or []
                     if c.startswith("refresh=")}  # fmt: skip
            assert len(given) == 1, number
            chance.shuffle(answers)  # the network may deliver them in any order
            for answer in answers:
                jar.take(answer)
            assert jar.cookies.keys() == {"access", "refresh"}, number
    ((_, alive, rotation),) = sessions_of(parts, person)
    assert alive
    assert rotation == ROUNDS


def test_an_answer_that_comes_late_logs_nobody_out(parts: Parts, person: str) -> None:
    """The answer of the last expiry overwrites the cookies of this one."""
    pair = once(
        parts.service.url, "POST", "/api/auth/login/", username=person, password=PASSWORD
    ).json()
    jar = Jar({"refresh": pair["refresh"]})
    late = open_resource(parts.fronts[0].url, jar.cookies)
    jar.take(open_resource(parts.fronts[1].url, jar.cookies))
    jar.cookies.pop("access")
    jar.take(open_resource(parts.fronts[1].url, jar.cookies))
    newest = jar.cookies["refresh"]
    jar.take(late)
    assert jar.cookies["refresh"] != newest
    jar.cookies.pop("access")
    answer = open_resource(parts.fronts[0].url, jar.cookies)
    assert b"akses sukses" in answer.body
    jar.take(answer)
    assert jar.cookies["refresh"] == newest
    ((_, alive, rotation),) = sessions_of(parts, person)
    assert (alive, rotation) == (True, 2)


def test_tabs_at_expiry_log_nobody_out(
    open_page: Callable[..., Page], parts: Parts, person: str
) -> None:
    page = open_page()
    log_in(page, person, "/resource")
    expect(page.get_by_role("heading", name="akses sukses")).to_be_visible()
    context: BrowserContext = page.context
    tabs = [page, *(context.new_page() for _ in range(TABS - 1))]
    for _ in range(TAB_ROUNDS):
        context.clear_cookies(name="access")
        for tab, front in zip(tabs, cycle(parts.fronts), strict=False):
            # Asked for by the page itself, so that none waits for the one before.
            tab.evaluate(
                "url => { setTimeout(() => location.assign(url)) }",
                f"{front.url}/resource?{time.monotonic_ns()}",
            )
        for tab in tabs:
            tab.wait_for_load_state()
            expect(tab.get_by_role("heading", name="akses sukses")).to_be_visible()
    (first, second) = sessions_of(parts, person)
    assert first[1:] == (True, 0)  # the service's own pages
    assert second[1:] == (True, TAB_ROUNDS)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_form_and_a_link_at_expiry_do_what_they_say(
    open_page: Callable[..., Page], parts: Parts, person: str, scripts: bool
) -> None:
    parts.notes.texts.clear()
    page = open_page(java_script_enabled=scripts)
    log_in(page, person, "/notes")
    page.get_by_label("New note").fill("Just in time")
    page.context.clear_cookies(name="access")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("listitem").filter(has_text="Just in time")).to_be_visible()
    assert parts.notes.texts == ["Just in time"]
    page.context.clear_cookies(name="access")
    page.get_by_role("link", name="Devices").click()
    expect(page.get_by_text("this device")).to_be_visible()
    assert token(page, "access")
    assert [row[1:] for row in sessions_of(parts, person)] == [(True, 0), (True, 2)]


def test_a_prefetch_renews_nothing(parts: Parts, person: str) -> None:
    pair = once(
        parts.service.url, "POST", "/api/auth/login/", username=person, password=PASSWORD
    ).json()
    headers = {"Cookie": f"refresh={pair['refresh']}", "RSC": "1", "Next-Router-Prefetch": "1"}
    with urlopen(Request(f"{parts.url}/resource", headers=headers)) as answer:
        assert not answer.headers.get_all("Set-Cookie")
    assert sessions_of(parts, person)[0][2] == 0
