"""What people do with mails, in a real browser and in both languages.

English with scripts, Indonesian without: no task needs them.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.support.environment import ROOT
from tests.support.inbox import (
    LINK,
    code_in,
    html_of,
    last_number,
    link_in,
    text_of,
    wait_for_mail,
)
from tests.support.servers import Server, run_server
from tests.support.states import log_out, send
from tests.system.test_browser import PASSWORD, new_name, open_page, tab_to
from tools import translations

pytestmark = pytest.mark.system
__all__ = ["open_page"]

NEW_PASSWORD = "another cat on the mat"
IN_EACH_LANGUAGE = pytest.mark.parametrize(
    ("language", "scripts"), [("en", True), ("id", False)], ids=["en", "id without scripts"]
)
CATALOGUE = translations.read(ROOT / "app" / "translations" / "id" / "LC_MESSAGES" / "messages.po")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """EMAIL_VERIFICATION=optional."""
    folder = tmp_path_factory.mktemp("optional")
    with run_server(folder, f"sqlite:///{folder / 'test.db'}", WORKERS="1") as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """EMAIL_VERIFICATION=required."""
    folder = tmp_path_factory.mktemp("required")
    database = f"sqlite:///{folder / 'test.db'}"
    with run_server(folder, database, WORKERS="1", EMAIL_VERIFICATION="required") as server:
        yield server


class Person:
    """A person with an e-mail, and a browser in a language."""

    def __init__(self, page: Page, server: Server, language: str) -> None:
        self.page, self.server, self.language = page, server, language
        self.name = new_name()
        self.email = f"{self.name}@example.com"
        page.goto(f"{server.url}/login?lang={language}")

    def says(self, text: str, **values: str) -> None:
        """The page shows a text of ours, in the person's language."""
        expect(self.page.get_by_role("main")).to_contain_text(self.text(text, **values))

    def text(self, text: str, **values: str) -> str:
        """A text of ours in the person's language."""
        message = CATALOGUE.get(text)
        assert message is not None, text
        return (str(message.string) if self.language == "id" else text) % values

    def is_at(self, path: str) -> None:
        """The address bar shows this path, and nothing after it."""
        expect(self.page).to_have_url(self.server.url + path)

    def open(self, path: str) -> None:
        self.page.goto(self.server.url + path)

    def register(self, path: str = "/register") -> Any:
        """Create the account, and return the mail that came."""
        self.open(path)
        fields = {"username": self.name, "email": self.email, "password": PASSWORD}
        return self.mail("/verify", lambda: send(self.page, fields))

    def log_in(self, password: str = PASSWORD) -> None:
        self.open("/login")
        send(self.page, {"username": self.name, "password": password})

    def is_logged_in(self) -> bool:
        self.open("/")
        return self.page.locator("form[action='/logout']").count() == 1

    def forget(self) -> Any:
        """Ask for a new password as a person does who cannot log in, and return the mail."""
        self.open("/login")
        self.page.locator("main a[href='/forgot']").click()
        return self.mail("/reset", lambda: send(self.page, {"email": self.email}))

    def change_email(self) -> str:
        """Ask for another e-mail of the account, and return it."""
        self.open("/account/profile")
        new = f"new-{self.email}"
        send(self.page, {"username": self.name, "email": new, "current_password": PASSWORD})
        return new

    def press(self) -> None:
        """Press the main button of the page."""
        with self.page.expect_navigation():
            self.page.locator("main .primary").click()

    def mail(self, page: str, cause: Callable[[], object], to: str | None = None) -> Any:
        """Do what causes a mail, and wait for it."""
        before = last_number(self.server.instance)
        cause()
        return wait_for_mail(self.server.instance, to or self.email, page, before)


@pytest.fixture
def person(open_page: Callable[..., Page], server: Server, language: str, scripts: bool) -> Person:
    return Person(open_page(scripts=scripts), server, language)


@pytest.fixture
def strict_person(
    open_page: Callable[..., Page], strict: Server, language: str, scripts: bool
) -> Person:
    return Person(open_page(scripts=scripts), strict, language)


def as_typed(code: str) -> str:
    """A code as people may type it."""
    return f" {code.lower().replace('-', ' ')} "


# --- each flow ------------------------------------------------------------------------------------


@IN_EACH_LANGUAGE
def test_an_email_is_confirmed_by_the_link(person: Person) -> None:
    mail = person.register()
    person.open("/account/profile")
    person.says("not confirmed yet")
    person.page.goto(link_in(mail))
    person.is_at("/verify")
    person.says(
        "Is %(email)s yours, and the account %(username)s too? Then press the button.",
        email=person.email, username=person.name,
    )  # fmt: skip
    person.press()
    person.is_at("/account/profile")
    person.says("Your e-mail is confirmed.")
    expect(person.page.locator(".badge")).to_have_text(person.text("confirmed"))
    expect(person.page.locator("form[action='/verify/send']")).to_have_count(0)


@IN_EACH_LANGUAGE
def test_an_email_is_confirmed_by_the_code_of_a_mail_that_the_settings_send(
    person: Person,
) -> None:
    person.register()
    person.open("/account/profile")
    button = person.page.get_by_role("button", name=person.text("Send me the mail"))
    mail = person.mail("/verify", button.click)
    person.is_at("/verify")
    send(person.page, {"code": as_typed(code_in(mail))})
    person.says("Your e-mail is confirmed.")
    person.is_at("/account/profile")
    person.open("/verify")
    person.is_at("/account/profile")


@IN_EACH_LANGUAGE
def test_a_forgotten_password_is_replaced_by_the_link(person: Person) -> None:
    person.register()
    log_out(person.page)
    mail = person.forget()
    person.is_at("/reset")
    person.page.goto(link_in(mail))
    person.is_at("/reset")
    for_manager = person.page.locator("main input[autocomplete=username]")
    expect(for_manager).to_have_value(person.email)
    expect(for_manager).to_be_hidden()
    expect(person.page.locator("[name=code]")).to_have_count(0)
    send(person.page, {"new_password": NEW_PASSWORD})
    person.is_at("/login")
    person.says("Your password is changed. Log in with it.")
    person.log_in()
    person.says("That username and password do not match. Check both and try again.")
    person.log_in(NEW_PASSWORD)
    assert person.is_logged_in()
    person.open("/account/profile")
    expect(person.page.locator(".badge")).to_have_text(person.text("confirmed"))


@IN_EACH_LANGUAGE
def test_a_forgotten_password_is_replaced_by_the_code(person: Person) -> None:
    person.register()
    log_out(person.page)
    mail = person.forget()
    expect(person.page.locator("[name=code]")).to_be_focused()
    expect(person.page.locator("[name=code]")).to_have_attribute("autocomplete", "one-time-code")
    send(person.page, {"code": as_typed(code_in(mail)), "new_password": NEW_PASSWORD})
    person.says("Your password is changed. Log in with it.")
    person.log_in(NEW_PASSWORD)
    assert person.is_logged_in()


@IN_EACH_LANGUAGE
def test_the_owner_takes_the_account_back_from_who_changed_its_email(
    person: Person, open_page: Callable[..., Page]
) -> None:
    person.register()
    mail = person.mail("/undo", person.change_email)
    thief = person.page
    person.page = open_page(scripts=person.language == "en")
    person.open(f"/login?lang={person.language}")
    person.page.goto(link_in(mail))
    person.is_at("/undo")
    person.says("%(email)s is the e-mail of your account again.", email=person.email)
    reset = person.mail("/reset", person.press)
    person.is_at("/reset")
    person.says(
        "Your account is yours again, and every login has ended. Choose a new password: we have "
        "sent you a code."
    )
    send(person.page, {"code": code_in(reset), "new_password": NEW_PASSWORD})
    person.log_in(NEW_PASSWORD)
    person.open("/account/profile")
    expect(person.page.locator("[name=email]")).to_have_value(person.email)
    thief.goto(f"{person.server.url}/account/profile")
    expect(thief).to_have_url(re.compile("/login"))


@IN_EACH_LANGUAGE
def test_where_it_is_required_an_email_counts_once_it_is_confirmed(strict_person: Person) -> None:
    person = strict_person
    send_code = {"code": code_in(person.register())}
    send(person.page, send_code)
    new = f"new-{person.email}"
    person.mail("/verify", person.change_email, to=new)
    mail = person.mail("/verify", person.change_email, to=new)  # once more is no "nothing changed"
    person.says("We have sent a mail to %(email)s. Your e-mail changes once you confirm it there.",
                email=new)  # fmt: skip
    expect(person.page.locator("[name=email]")).to_have_value(person.email)
    marks = person.page.locator(".badge")
    expect(marks).to_have_text([person.text("confirmed"), person.text("not confirmed yet")])
    person.page.goto(link_in(mail))
    notice = person.mail("/undo", person.press)
    person.says("Your e-mail is confirmed.")
    expect(person.page.locator("[name=email]")).to_have_value(new)
    expect(marks).to_have_text([person.text("confirmed")])
    person.page.goto(link_in(notice))
    person.press()
    person.is_at("/reset")


@IN_EACH_LANGUAGE
def test_where_it_is_required_registering_asks_for_the_code_and_then_goes_on(
    strict_person: Person,
) -> None:
    person = strict_person
    mail = person.register("/register?next=/resource")
    person.is_at("/verify")
    assert not person.is_logged_in()
    person.open("/verify")
    send(person.page, {"code": "BCDF-GHJK"})
    person.says(
        "This code is wrong, used or expired, or was tried five times. Check it, or ask for a "
        "new mail."
    )
    send(person.page, {"code": code_in(mail)})
    person.is_at("/resource")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("akses sukses")


@IN_EACH_LANGUAGE
def test_where_it_is_required_a_login_leads_to_the_code(strict_person: Person) -> None:
    person = strict_person
    person.register()
    person.page.context.clear_cookies()
    person.open(f"/login?lang={person.language}&next=/account/password")
    send(person.page, {"username": person.name, "password": PASSWORD})
    person.is_at("/verify")
    button = person.page.locator("form[action='/verify/send'] button")
    mail = person.mail("/verify", button.click)
    person.says("The mail is on its way. It can take a minute; look among unwanted mail too.")
    send(person.page, {"code": code_in(mail)})
    person.is_at("/account/password")


@IN_EACH_LANGUAGE
def test_the_outbox_shows_the_newest_mail_first_and_opens_its_link(person: Person) -> None:
    person.register()
    log_out(person.page)
    person.forget()
    person.page.locator("main a[href='/outbox']").click()
    first = person.page.locator("article").first
    expect(first).to_contain_text(person.email)
    expect(first).to_contain_text(person.text("Choose a new password"))
    first.locator(".button").click()
    person.is_at("/reset")
    expect(person.page.locator("[name=code]")).to_have_count(0)


# --- what goes wrong ------------------------------------------------------------------------------


@IN_EACH_LANGUAGE
@pytest.mark.parametrize("page", ["/reset", "/verify", "/undo"])
def test_a_link_that_is_good_for_nothing_says_what_to_do(person: Person, page: str) -> None:
    person.open(f"{page}?token=used")
    person.is_at(page)
    expect(person.page.get_by_role("alert")).to_have_text(
        person.text("This link is used, has expired or is not whole.")
    )
    expect(person.page.get_by_role("alert")).to_be_focused()
    person.page.locator("main .primary").click()
    expect(person.page).to_have_url(re.compile("/forgot$|/login"))


@IN_EACH_LANGUAGE
def test_after_five_wrong_codes_a_new_mail_is_the_way_on(person: Person) -> None:
    person.register()
    log_out(person.page)
    mail = person.forget()
    for code in ("BCDF-GHJK", "BCDF-GHJL", "BCDF-GHJM", "BCDF-GHJN", "BCDF-GHJP", code_in(mail)):
        send(person.page, {"code": code, "new_password": NEW_PASSWORD})
        expect(person.page.locator("[name=code]")).to_have_value(code)
        expect(person.page.locator("#code-note")).to_have_class(re.compile("error"))
    person.page.locator("main a[href='/forgot']").click()
    mail = person.mail("/reset", lambda: send(person.page, {"email": person.email}))
    send(person.page, {"code": code_in(mail), "new_password": NEW_PASSWORD})
    person.is_at("/login")


@IN_EACH_LANGUAGE
def test_a_weak_password_keeps_the_link(person: Person) -> None:
    person.register()
    log_out(person.page)
    person.page.goto(link_in(person.forget()))
    send(person.page, {"new_password": "password1"})
    person.says("That password is too easy to guess. Try three or four unrelated words.")
    send(person.page, {"new_password": NEW_PASSWORD})
    person.is_at("/login")


@IN_EACH_LANGUAGE
def test_reload_and_back_do_no_harm(person: Person) -> None:
    person.page.goto(link_in(person.register()))
    person.page.reload()
    person.is_at("/verify")
    person.press()
    person.page.go_back()
    person.page.reload()
    person.is_at("/account/profile")
    log_out(person.page)
    person.page.goto(link_in(person.forget()))
    person.page.reload()
    send(person.page, {"new_password": NEW_PASSWORD})
    person.page.go_back()
    person.page.reload()
    person.is_at("/reset")
    expect(person.page.locator("main form")).to_have_count(1)
    person.log_in(NEW_PASSWORD)
    assert person.is_logged_in()


@IN_EACH_LANGUAGE
def test_two_tabs_with_one_link_confirm_once(person: Person) -> None:
    link = link_in(person.register())
    second = person.page.context.new_page()
    for page in (person.page, second):
        page.goto(link)
    person.press()
    person.page = second
    person.press()
    person.is_at("/account/profile")
    person.says("Your e-mail is confirmed already.")


@IN_EACH_LANGUAGE
def test_two_tabs_with_one_link_set_one_password(person: Person) -> None:
    person.register()
    log_out(person.page)
    link = link_in(person.forget())
    second = person.page.context.new_page()
    for page in (person.page, second):
        page.goto(link)
    send(person.page, {"new_password": NEW_PASSWORD})
    send(second, {"new_password": f"{NEW_PASSWORD} too"})
    expect(second.locator("main .summary")).to_be_visible()
    expect(second.locator("main a[href='/forgot']")).to_be_visible()
    person.log_in(NEW_PASSWORD)
    assert person.is_logged_in()


def test_the_keyboard_is_enough(open_page: Callable[..., Page], server: Server) -> None:
    person = Person(open_page(), server, "en")
    person.register()
    log_out(person.page)
    page = person.page
    person.open("/login")
    tab_to(page, "Forgot your password?", "a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/forgot")
    expect(page.locator("[name=email]")).to_be_focused()

    def ask() -> None:
        page.keyboard.type(person.email)
        page.keyboard.press("Enter")
        page.wait_for_url("**/reset")

    mail = person.mail("/reset", ask)
    page.keyboard.type(as_typed(code_in(mail)))
    tab_to(page, "New password", "input")
    page.keyboard.type(NEW_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    person.log_in(NEW_PASSWORD)
    assert person.is_logged_in()


# --- tokens and scanners --------------------------------------------------------------------------


def links_of_every_page(person: Person) -> dict[str, Any]:
    """A living mail for each page that a link opens."""
    person.register()
    notice = person.mail("/undo", person.change_email)
    new = f"new-{person.email}"
    verification = wait_for_mail(person.server.instance, new, "/verify")
    log_out(person.page)
    person.open("/forgot")
    reset = person.mail("/reset", lambda: send(person.page, {"email": new}), to=new)
    return {"/reset": reset, "/verify": verification, "/undo": notice}


def test_a_token_leaves_the_address_bar_and_stands_in_no_log(
    open_page: Callable[..., Page], server: Server
) -> None:
    person = Person(open_page(), server, "en")
    answers: list[Response] = []

    def look(answer: Response) -> None:
        answers.append(answer)

    person.page.on("response", look)
    tokens = []
    for path, mail in links_of_every_page(person).items():
        tokens.append(link_in(mail).partition("token=")[2])
        answers.clear()
        person.page.goto(link_in(mail))
        person.is_at(path)
        assert tokens[-1] not in person.page.content()
        assert "token" not in person.page.evaluate("document.referrer")
        policies = [
            each.headers["referrer-policy"] for each in answers if urlsplit(each.url).path == path
        ]
        assert policies == ["no-referrer", "no-referrer"]
        person.page.go_back()
        assert "token" not in person.page.url
    logged = "".join(file.read_text() for file in server.log.parent.glob("*.log"))
    assert logged
    assert [token for token in tokens if token in logged] == []


def test_programs_that_open_every_link_of_a_mail_use_none_up(
    open_page: Callable[..., Page], server: Server, chromium: Browser
) -> None:
    person = Person(open_page(), server, "en")
    mails = links_of_every_page(person)
    for mail in mails.values():
        for link in {*LINK.findall(text_of(mail)), *re.findall(r'href="([^"]+)"', html_of(mail))}:
            for _ in range(10):
                scan(link)
            with chromium.new_context() as context:
                visitor = context.new_page()
                visitor.goto(link)
                visitor.wait_for_load_state("networkidle")
    person.page.goto(link_in(mails["/verify"]))
    person.press()
    person.says("Your e-mail is confirmed.")
    person.page.goto(link_in(mails["/reset"]))
    send(person.page, {"new_password": NEW_PASSWORD})
    person.says("Your password is changed. Log in with it.")
    person.page.goto(link_in(mails["/undo"]))
    person.press()
    person.is_at("/reset")


def scan(link: str) -> None:
    """Open a link as programs that look at mails do: without cookies, by HEAD and GET."""
    url = urlsplit(link)
    for method in ("HEAD", "GET"):
        for accept in ("*/*", "text/html"):
            connection = http.client.HTTPConnection(url.netloc, timeout=30)
            connection.request(method, f"{url.path}?{url.query}", headers={"Accept": accept})
            assert connection.getresponse().status < 500
            connection.close()
