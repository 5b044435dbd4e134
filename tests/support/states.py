"""Every page and state that people can see, and how to reach it.

`make pictures` takes their pictures, and tests/system/test_pages.py checks them. Nothing here
depends on a language: fields are found by name, forms by the fields that they have.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any, Literal
from urllib.request import Request, urlopen

from flask import Flask, abort
from playwright.sync_api import Browser, Locator, Page, Response

from app import create_app
from app.core.errors import TooManyRequestsError
from app.sessions import tokens
from tests.support.databases import make_config
from tests.support.environment import ROOT, environment_of_program
from tests.support.inbox import code_in, last_number, link_in, path_in, wait_for_mail
from tests.support.providers import serving
from tests.support.servers import Server, run_server

LANGUAGES = ("en", "id")
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (360, 1400)
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
    "--no-first-run", "--disable-sync", "--disable-background-networking",
    "--disable-component-update",
]  # fmt: skip
# Milliseconds for one step: what is awaited comes far sooner, but not on a machine that is busy.
MAX_WAIT = 60_000
PERSON = {"username": "dummyuser", "email": "dummy@dummy.com", "password": "dummy1234"}
# Owns the e-mail of one of the demo provider's people.
HOLDER = {"username": "budi", "email": "budi@example.com", "password": "a cat on a cushion"}
# Is logged out from elsewhere.
WANDERER = {"username": "wanderer", "email": "wanderer@example.com", "password": "dummy1234"}
# Has a mail with the link that takes the account back.
OWNER = {"username": "owner", "email": "owner@example.com", "password": "dummy1234"}
# A name whose failed logins are used up.
LIMITED = {"username": "limited", "password": "a wrong one"}
DEVICES = (
    "Mozilla/5.0 (Linux; Android 14; SM-A556E) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile Safari/604.1",
    "GuzzleHttp/7",
)
NUMBERS = count(1)
# What each of the servers below is set to. The addresses on pictures are those a reader will see.
SERVICES: Mapping[str, dict[str, str]] = {
    "plain": {"PUBLIC_URL": "http://127.0.0.1:5000", "RATELIMIT_ENABLED": "true"},
    "social": {
        "SOCIAL_DEMO": "1",
        # Buttons alone: nothing here goes to Google or Facebook.
        "GOOGLE_CLIENT_ID": "example", "GOOGLE_CLIENT_SECRET": "example",
        "FACEBOOK_CLIENT_ID": "example", "FACEBOOK_CLIENT_SECRET": "example",
    },
    "closed": {"PUBLIC_URL": "http://127.0.0.1:5000", "REGISTRATION": "closed"},
    "verifying": {"PUBLIC_URL": "http://127.0.0.1:5000", "EMAIL_VERIFICATION": "required"},
}  # fmt: skip


@dataclass(frozen=True)
class State:
    """One page in one state.

    Attributes:
        name: of the state, and of its pictures.
        path: the address that is opened.
        status: of the page that is then shown.
        service: the server: one of SERVICES, or "failing".
        logged_in: whether PERSON is logged in.
        fill: what is typed into the form that has these fields, and sent; `{foreign}` and the like
            stand for `Services.values`.
        steps: what is done after opening the address, where a form is not enough.

    """

    name: str
    path: str
    status: int = 200
    service: str = "plain"
    logged_in: bool = False
    fill: Mapping[str, str] = field(default_factory=dict)
    steps: Callable[[Page, Services], None] | None = None

    @property
    def opened(self) -> bool:
        """Whether opening the address is all."""
        return not self.fill and self.steps is None


class Services:
    """The servers on which the states are."""

    def __init__(self, servers: Mapping[str, Server], failing: str, values: dict[str, str]) -> None:
        self._servers = servers
        self._urls = {name: server.url for name, server in servers.items()} | {"failing": failing}
        self._cookies: dict[str, Any] = {}
        self.values = values

    @contextmanager
    def open(
        self,
        browser: Browser,
        state: State,
        language: str,
        watch: Callable[[Page], None] = lambda _: None,
        **options: Any,
    ) -> Iterator[tuple[Page, int]]:
        """Bring a new browser profile into a state, and close it in the end.

        Args:
            browser: in which it is.
            state: where it goes.
            language: of the pages.
            watch: called with the page before it opens anything.
            options: of the profile, such as `viewport`.

        Returns:
            The page, and the status of the document that it shows.

        """
        context = browser.new_context(base_url=self._urls[state.service], **options)
        context.set_default_timeout(MAX_WAIT)
        try:
            if state.logged_in:
                context.add_cookies(self._cookies_of_person(browser, state.service))
            context.request.get(f"/login?lang={language}", headers={"Accept": "text/html"})
            page = context.new_page()
            watch(page)
            yield page, self._enter(page, state)
        finally:
            context.close()

    def _enter(self, page: Page, state: State) -> int:
        statuses: list[int] = []

        def look(response: Response) -> None:
            if response.request.is_navigation_request() and response.frame == page.main_frame:
                statuses.append(response.status)

        page.on("response", look)
        page.goto(state.path)
        if statuses[-1] == 200:  # else it is a refusal, or an address that is not there
            if state.fill:
                send(page, {k: v.format_map(self.values) for k, v in state.fill.items()})
            if state.steps:
                state.steps(page, self)
            page.wait_for_load_state()
        return statuses[-1]

    def _cookies_of_person(self, browser: Browser, service: str) -> Any:
        if service not in self._cookies:
            context = browser.new_context(base_url=self._urls[service])
            log_in(context.new_page(), PERSON["username"], PERSON["password"])
            self._cookies[service] = context.cookies()
            context.close()
        return self._cookies[service]

    def new_mail(
        self, service: str, to: str, page: str, cause: Callable[[], object]
    ) -> EmailMessage:
        """Do what causes a mail, and wait until the service has sent it."""
        instance = self._servers[service].instance
        before = last_number(instance)
        cause()
        return wait_for_mail(instance, to, page, before)

    def forget(self, username: str) -> None:
        """Delete an account of the service with providers, so that its first visit comes again."""
        server = self._servers["social"]
        settings = {"DATABASE_URL": _database(server), "INSTANCE_PATH": str(server.instance)}
        subprocess.run(
            [ROOT / "loguserapp", "users", "delete", "--yes", username],
            env=environment_of_program(**settings), capture_output=True, check=False,
        )  # fmt: skip

    def end_other_sessions(self, account: Mapping[str, str]) -> None:
        """Log an account out everywhere, as it would from another device."""
        url = self._urls["plain"]
        ours = _call(f"{url}/login", account)["access_token"]
        bearer = {"Authorization": f"Bearer {ours}"}
        for each in _call(f"{url}/api/auth/sessions/", headers=bearer):
            if not each["current"]:
                _call(f"{url}/api/auth/sessions/{each['id']}/", method="DELETE", headers=bearer)


@contextmanager
def running_services(folder: Path) -> Iterator[Services]:
    """Run every server that the states need, with what they need in its database."""
    with ExitStack() as stack:
        servers = {}
        for name, settings in SERVICES.items():
            database = folder / f"{name}.db"
            servers[name] = stack.enter_context(
                run_server(folder, f"sqlite:///{database}", folder / name, WORKERS="1", **settings)
            )
        plain = servers["plain"]
        for server in (plain, servers["social"], servers["verifying"]):
            _call(f"{server.url}/register", PERSON)
        _call(f"{servers['social'].url}/register", HOLDER)
        _confirm(servers["verifying"], PERSON["email"])
        app = _failing_app(plain)
        failing = stack.enter_context(serving(app))
        values = _prepare(plain, app) | {"undo": _undo_token(servers["social"])}
        yield Services(servers, failing, values)


def _prepare(server: Server, app: Flask) -> dict[str, str]:
    """Give PERSON devices and tokens of every kind, and use up one name's failed logins."""
    url = server.url
    for device in DEVICES:
        _call(f"{url}/login", PERSON, headers={"User-Agent": device})
    for _ in range(10):
        _call(f"{url}/login", LIMITED, expect=401)
    _call(f"{url}/register", WANDERER)
    good = _call(f"{url}/login", PERSON)
    ended = _call(f"{url}/login", PERSON)
    _call(f"{url}/api/auth/logout/", {"refresh_token": ended["refresh_token"]})
    with app.app_context():
        past = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=1)
        expired = tokens.sign_access(1, 1, past)
    return {
        "good": good["access_token"], "refresh": good["refresh_token"],
        "ended": ended["access_token"], "expired": expired, "foreign": "not.a.token",
    }  # fmt: skip


def _confirm(server: Server, email: str) -> None:
    """Confirm an e-mail by the code of its mail."""
    mail = wait_for_mail(server.instance, email, "/verify")
    proof = {"email": email, "code": code_in(mail)}
    _call(f"{server.url}/api/auth/email/verify/confirm/", proof)


def _undo_token(server: Server) -> str:
    """The token of a link that takes OWNER's account back."""
    _call(f"{server.url}/register", OWNER)
    token = _call(f"{server.url}/login", OWNER)["access_token"]
    change = {"current_password": OWNER["password"], "new_password": "a cat on a cushion"}
    bearer = {"Authorization": f"Bearer {token}"}
    _call(f"{server.url}/api/auth/password/", change, headers=bearer)
    return link_in(wait_for_mail(server.instance, OWNER["email"], "/undo")).partition("=")[2]


def _failing_app(server: Server) -> Flask:
    """The application with an address for each way to fail: no real one fails at will."""
    app = create_app(make_config(_database(server), server.instance))

    @app.get("/fail/<int:status>")
    def fail(status: int) -> str:
        if status == 429:
            raise TooManyRequestsError(900)
        abort(status)

    return app


def _database(server: Server) -> str:
    return f"sqlite:///{server.instance.with_suffix('.db')}"


def _call(
    url: str,
    fields: Mapping[str, str] | None = None,
    *,
    method: str = "",
    headers: Mapping[str, str] | None = None,
    expect: int = 0,
) -> Any:
    """Call the service as a program does; `expect` is the status of a refusal that is meant."""
    data = json.dumps(fields).encode() if fields else None
    request = Request(url, data, {"Content-Type": "application/json"} | dict(headers or {}))
    request.method = method or request.get_method()
    try:
        with urlopen(request) as answer:
            body = answer.read()
    except OSError as error:
        if getattr(error, "code", None) != expect:
            raise
        return None
    return json.loads(body) if body else None


# --- what a person does --------------------------------------------------------------------------


def form_with(page: Page, *names: str) -> Locator:
    """The page's form that has these fields."""
    form = page.locator("main form")
    for name in names:
        form = form.filter(has=page.locator(f"[name='{name}']"))
    return form.first


def send(page: Page, fields: Mapping[str, str]) -> None:
    """Fill in the form that has these fields, and press its button."""
    form = form_with(page, *fields)
    for name, value in fields.items():
        form.locator(f"[name='{name}']").fill(value)
    with page.expect_navigation():
        form.locator("button:not([type=button])").last.click()


def log_in(page: Page, username: str, password: str) -> None:
    """Log in by the page."""
    page.goto("/login")
    send(page, {"username": username, "password": password})


def log_out(page: Page) -> None:
    """Press "Log out" at the head of the page."""
    with page.expect_navigation():
        page.locator("form[action='/logout'] button").first.click()


def _ended_elsewhere(page: Page, services: Services) -> None:
    log_in(page, WANDERER["username"], WANDERER["password"])
    services.end_other_sessions(WANDERER)
    page.goto("/account")


def to_demo_provider(page: Page, _services: Services) -> None:
    """Press the demo provider's button."""
    page.locator("main a[href^='/login/oidc']").first.click()
    page.wait_for_url("**/authorize*")


def _at_demo_provider(button: str, account: str = "") -> Callable[[Page, Services], None]:
    """Go to the demo provider and press a button there; the account is deleted before."""

    def steps(page: Page, services: Services) -> None:
        if account:
            services.forget(account)
        to_demo_provider(page, services)
        page.locator(f"button:has-text('{button}')").click()
        page.wait_for_url(lambda url: "/authorize" not in url)

    return steps


def _connected(page: Page, services: Services) -> None:
    """Open the connections of an account that a provider's identity made, without a password."""
    _at_demo_provider("Sari", "sari.wulandari")(page, services)
    page.goto("/account/connections")


def _wrong_owner(page: Page, services: Services) -> None:
    _at_demo_provider("Budi")(page, services)
    send(page, {"password": "a wrong one"})


def _from_another_site(page: Page, _services: Services) -> None:
    """Follow a link of another site; this one by its other name is another."""
    here = page.url
    page.goto(here.replace("127.0.0.1", "localhost"))
    with page.expect_navigation():
        page.evaluate("address => { location.href = address }", f"{here}/oidc")


def _asked_for_reset(page: Page, _services: Services) -> None:
    send(page, {"email": PERSON["email"]})


def _wrong_reset_code(page: Page, services: Services) -> None:
    _asked_for_reset(page, services)
    send(page, {"code": "BCDF-GHJK", "new_password": "a cat on a cushion"})


def _reset_link(page: Page, services: Services) -> None:
    mail = services.new_mail(
        "social", PERSON["email"], "/reset", lambda: _asked_for_reset(page, services)
    )
    page.goto(path_in(mail))


def _registered(page: Page, services: Services) -> EmailMessage:
    """Register a new person, whose e-mail has to be confirmed."""
    name = f"new-{next(NUMBERS)}"
    fields = {"username": name, "email": f"{name}@example.com", "password": PERSON["password"]}
    return services.new_mail("verifying", fields["email"], "/verify", lambda: send(page, fields))


def _unverified(page: Page, services: Services) -> None:
    _registered(page, services)


def _wrong_verification_code(page: Page, services: Services) -> None:
    _registered(page, services)
    send(page, {"code": "BCDF-GHJK"})


def _verification_link(page: Page, services: Services) -> None:
    page.goto(path_in(_registered(page, services)))


def _undo_link(page: Page, services: Services) -> None:
    page.goto(f"/undo?token={services.values['undo']}")


# --- the list ------------------------------------------------------------------------------------

_REFUSED = {"username": "mira tan", "email": "newuseroke", "password": "short"}
_ELSEWHERE = {
    "username": PERSON["username"],
    "email": "elsewhere@example.com",
    "current_password": PERSON["password"],
}
_NEW_PASSWORD = {"current_password": "wrong", "new_password": "password1"}

STATES = (
    State("home", "/"),
    State("home-in", "/", logged_in=True),
    State("home-closed", "/", service="closed"),
    State("register", "/register"),
    State("register-refused", "/register", 400, fill=_REFUSED),
    State("register-taken", "/register", 409, fill=PERSON),
    State("register-closed", "/register", service="closed"),
    State("register-providers", "/register", service="social"),
    State("login", "/login"),
    State("login-empty", "/login", 400, fill={"username": "", "password": ""}),
    State("login-refused", "/login", 401, fill={"username": "budi", "password": "a wrong one"}),
    State("login-limited", "/login", 429, fill=LIMITED),
    State("login-providers", "/login", service="social"),
    State("login-closed", "/login", service="closed"),
    State("login-ended", "/login", steps=_ended_elsewhere),
    State("resource", "/resource"),
    State("resource-in", "/resource", logged_in=True),
    State("resource-granted", "/resource", fill={"token": "{good}"}),
    State("resource-empty", "/resource", 400, fill={"token": ""}),
    State("resource-foreign", "/resource", 401, fill={"token": "{foreign}"}),
    State("resource-refresh", "/resource", 401, fill={"token": "{refresh}"}),
    State("resource-expired", "/resource", 401, fill={"token": "{expired}"}),
    State("resource-ended", "/resource", 401, fill={"token": "{ended}"}),
    State("forgot", "/forgot"),
    State("forgot-refused", "/forgot", 400, fill={"email": "newuseroke"}),
    State("reset", "/reset"),
    State("reset-code", "/forgot", service="social", steps=_asked_for_reset),
    State("reset-code-refused", "/forgot", 400, "social", steps=_wrong_reset_code),
    State("reset-link", "/forgot", service="social", steps=_reset_link),
    State("reset-link-refused", "/reset?token=used", 400),
    State("verify", "/verify"),
    State("verify-in", "/verify", logged_in=True),
    State("verify-before-login", "/register", service="verifying", steps=_unverified),
    State("verify-code-refused", "/register", 400, "verifying", steps=_wrong_verification_code),
    State("verify-link", "/register", service="verifying", steps=_verification_link),
    State("verify-link-refused", "/verify?token=used", 400),
    State("undo", "/login", service="social", steps=_undo_link),
    State("undo-refused", "/undo", 400),
    State("outbox", "/outbox"),
    State("outbox-empty", "/outbox", service="closed"),
    State("account", "/account", logged_in=True),
    State("account-profile", "/account/profile", logged_in=True),
    State("account-profile-pending", "/account/profile", service="verifying", logged_in=True,
          fill=_ELSEWHERE),
    State("account-profile-refused", "/account/profile", 400, logged_in=True,
          fill={"username": "mira tan", "email": "newuseroke", "current_password": ""}),
    State("account-password", "/account/password", logged_in=True),
    State("account-password-refused", "/account/password", 400, logged_in=True,
          fill=_NEW_PASSWORD),
    State("account-devices", "/account/devices", logged_in=True),
    State("account-connections", "/account/connections", service="social", logged_in=True),
    State("account-connected", "/login", service="social", steps=_connected),
    State("account-delete", "/account/delete", logged_in=True),
    State("social-begin", "/login", service="social", steps=_from_another_site),
    State("social-connect", "/login", service="social", steps=_at_demo_provider("Budi")),
    State("social-connect-refused", "/login", 401, "social", steps=_wrong_owner),
    State("social-welcome", "/login", service="social",
          steps=_at_demo_provider("Sari", "sari.wulandari")),
    State("social-welcome-no-email", "/login", service="social",
          steps=_at_demo_provider("Ayu", "ayu.lestari")),
    State("social-refused", "/login", 403, "social", steps=_at_demo_provider("Cancel")),
    *(State(f"error-{status}", f"/fail/{status}", status, "failing")
      for status in (400, 401, 403, 405, 413, 429, 500, 503)),
    State("error-404", "/nothing", 404),
    State("docs", "/docs"),
)  # fmt: skip
