"""Which language a response is in (CONTRACT section 13)."""

from __future__ import annotations

import ast
import gettext
import html
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import email_validator
import pytest
from email_validator import validate_email
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.email_rule import _OTHER, explain
from app.extensions import db
from app.models import User
from app.text import _l
from tests.support.application import BROWSER, DUMMY
from tests.support.browsing import Browser
from tests.support.environment import ROOT, missing
from tools import translations

INDONESIAN = {"Accept-Language": "id-ID,id;q=0.9,en;q=0.5"}
# Placeholders, names of code, addresses and domains.
NO_WORD = re.compile(r"%\(\w+\)s|\{\w+\}|\w+_\w\S*|\S+@\S+|\S+\.com")
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")
CATALOGUE = translations.CATALOGUES / "id" / "LC_MESSAGES" / "messages.po"


def packaged(package: str, language: str) -> gettext.GNUTranslations:
    """The compiled catalogue of an installed package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "locale" / language / "LC_MESSAGES"
    with (folder / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def language_of(client: FlaskClient, path: str = "/login", **headers: str) -> str:
    page = client.get(path, headers=BROWSER | headers)
    return in_language(page.text)


def in_language(page: str) -> str:
    return page.split('<html lang="', 1)[1].split('"', 1)[0]


def test_a_page_is_in_the_language_that_the_browser_prefers(client: FlaskClient) -> None:
    assert language_of(client) == "en"
    assert language_of(client, **INDONESIAN) == "id"
    assert language_of(client, **{"Accept-Language": "fr"}) == "en"
    assert language_of(client, **{"Accept-Language": "x" * 9000}) == "en"


def test_the_language_of_the_address_stays_in_this_browser(client: FlaskClient) -> None:
    assert language_of(client, "/login?lang=id") == "id"
    assert language_of(client) == "id"
    assert language_of(client, "/login?lang=xx", **{"Accept-Language": "en"}) == "id"
    assert language_of(client, "/login?lang=en", **INDONESIAN) == "en"
    assert language_of(client, **INDONESIAN) == "en"


def test_a_program_is_answered_by_its_header_alone(client: FlaskClient) -> None:
    client.get("/login?lang=id", headers=BROWSER)
    english = client.post("/login", data=DUMMY)
    indonesian = client.post("/login", data=DUMMY, headers=INDONESIAN)
    assert english.get_json()["detail"] == "Invalid credentials"
    assert "Set-Cookie" not in indonesian.headers
    assert indonesian.get_json()["code"] == "invalid_credentials"
    assert indonesian.get_json()["detail"] != "Invalid credentials"
    assert "Accept-Language" in indonesian.headers["Vary"]
    assert "Set-Cookie" not in client.get("/resource?lang=id").headers


@pytest.mark.parametrize(
    ("path", "body", "field", "words"),
    [
        ("/api/auth/login/", DUMMY, "detail",
         "Tidak ada akun aktif yang ditemukan dengan kredensial yang diberikan"),
        ("/api/auth/login/", {"password": "x"}, "username", ["Bidang ini harus diisi."]),
        ("/api/auth/login/", DUMMY | {"username": ""}, "username",
         ["Bidang ini tidak boleh kosong."]),
        ("/api/auth/login/", DUMMY | {"username": None}, "username",
         ['Bidang ini tidak boleh diisi dengan "null".']),
    ],
)  # fmt: skip
def test_the_token_api_speaks_as_simplejwt_does_in_indonesian(
    client: FlaskClient, path: str, body: object, field: str, words: object
) -> None:
    answer = client.post(path, json=body, headers=INDONESIAN).get_json()
    assert answer[field] == words


# What the token API says and the packages' Indonesian catalogues have, each by its package. Where
# SimpleJWT or Django REST framework has no Indonesian ("Token is invalid"), ours is our own.
SIMPLEJWT = {
    "Given token not valid for any token type",
    "No active account found with the given credentials",
    "Token has wrong type",
    "Token is blacklisted",
}
REST_FRAMEWORK = {
    "Authentication credentials were not provided.",
    "This field is required.",
    "This field may not be blank.",
    "This field may not be null.",
    'Unsupported media type "%(media_type)s" in request.',
    # Labels of the pages, which happen to be theirs too.
    "Password",
    "Username",
}


@pytest.mark.parametrize(
    ("package", "language", "sentences"),
    [("rest_framework_simplejwt", "id_ID", SIMPLEJWT), ("rest_framework", "id", REST_FRAMEWORK)],
)
def test_every_sentence_of_the_packages_is_translated_as_they_do(
    package: str, language: str, sentences: set[str]
) -> None:
    """A sentence that is reworded here or there is missing, and one that both have now is new."""
    theirs = packaged(package, language)
    ours = {str(message.id): str(message.string) for message in translations.read(CATALOGUE)}
    both = {
        english for english in filter(None, ours)
        if theirs.gettext(_as_they_write(english)) != _as_they_write(english)
    }  # fmt: skip
    assert both == sentences
    for english in sentences:
        assert _as_they_write(ours[english]) == theirs.gettext(_as_they_write(english))


def _as_they_write(text: str) -> str:
    return text.replace("%(media_type)s", "{media_type}")


def test_a_program_gets_the_validators_own_words_and_a_person_plainer_ones(
    shared_client: FlaskClient,
) -> None:
    body = DUMMY | {"email": "mira@example"}
    program = shared_client.post("/register", data=body).get_json()["errors"]["email"]
    assert program == ["The part after the @-sign is not valid. It should have a period."]
    indonesian = shared_client.post("/register", data=body, headers=INDONESIAN)
    assert indonesian.get_json()["errors"]["email"] != program
    assert "period" not in indonesian.text


@pytest.mark.parametrize(
    "email",
    ["", "x", "@x.com", "x@", "x@y", "x@y.", "x@.y.com", "x@y..com", "x..y@z.com", ".x@y.com",
     "x.@y.com", "x@-y.com", "x@y-.com", "é@y.com", "x y@z.com", "x@y z.com", "x@localhost",
     "x@test", "x@y.invalid", "x@1.2.3", "a" * 65 + "@y.com", "x@" + "y" * 64 + ".com",
     "x@y_z.com", "x@xn--a.com", "x@\N{FULLWIDTH COMMERCIAL AT}y.com",
     "x\N{FULLWIDTH COMMERCIAL AT}y.com", "x\N{SMALL COMMERCIAL AT}y.com", "x@y.c-m-.com"],
)  # fmt: skip
def test_people_get_a_sentence_of_ours_for_each_message_of_the_validator(email: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        validate_email(email, check_deliverability=False, allow_smtputf8=False, strict=True)
    assert explain(str(refused.value)) != _OTHER


def test_the_catalogue_is_that_of_the_code_and_whole() -> None:
    """`make translations` mends what this finds, but for texts that are to be translated."""
    catalogue = translations.read(CATALOGUE)
    ids = {message.id for message in catalogue if message.id}
    assert ids == {message.id for message in translations.extracted() if message.id}
    assert translations.missing(catalogue) == []
    assert not any(message.fuzzy for message in catalogue if message.id)
    assert CATALOGUE.with_suffix(".mo").read_bytes() == translations.compiled(catalogue)


def test_both_languages_have_the_same_placeholders() -> None:
    for message in filter(lambda message: message.id, translations.read(CATALOGUE)):
        english = message.id if isinstance(message.id, str) else message.id[-1]
        theirs = "".join(message.string or "")
        assert set(PLACEHOLDER.findall(theirs)) == set(PLACEHOLDER.findall(english)), message.id


def test_a_person_chooses_a_language_for_all_their_browsers(
    app: Flask, dummy: dict[str, str]
) -> None:
    first, second = Browser(app), Browser(app)
    first.post("/login", **DUMMY)
    first.post("/account/language", language="id")
    assert shown_language(first) == "id"
    second.post("/login", **DUMMY)
    assert shown_language(second) == "id"
    assert shown_language(second, "?lang=en") == "en"
    assert shown_language(second) == "en"
    second.post("/account/language", language="auto")
    assert shown_language(second) == "en"
    assert second.post("/account/language", language="xx").status_code == 400
    with app.app_context():
        assert db.session.scalar(select(User.language)) is None


def shown_language(browser: Browser, query: str = "") -> str:
    return in_language(browser.get(f"/account/profile{query}").text)


def test_what_a_person_typed_is_escaped_in_a_message(app: Flask) -> None:
    with app.test_request_context():
        shown = render_template_string("{{ text }}", text=_l("Hi %(name)s", name="<b>"))
    assert shown == "Hi &lt;b&gt;"


def test_the_indonesian_is_spelt_as_the_dictionary_has_it() -> None:
    """Words that it lacks and that are right stand in tools/words-id.txt."""
    if shutil.which("hunspell") is None or not Path("/usr/share/hunspell/id_ID.dic").exists():
        missing("hunspell with its Indonesian dictionary")
    texts = ["".join(message.string or "") for message in translations.read(CATALOGUE)][1:]
    found = subprocess.run(
        ["hunspell", "-i", "utf-8", "-d", "id_ID", "-l"],
        input=NO_WORD.sub(" ", "\n".join(texts)),
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    own = set((ROOT / "tools" / "words-id.txt").read_text().split())
    assert {word.lower() for word in found} - own == set()


PAGES = [
    "/", "/login", "/register", "/resource", "/nothing", "/account/profile", "/account/password",
    "/account/devices", "/account/connections", "/account/delete", "/docs", "/forgot", "/reset",
    "/verify", "/undo", "/outbox",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("code", ["en", "id"])
def test_no_page_mixes_languages(app: Flask, dummy: dict[str, str], code: str, path: str) -> None:
    """Each text between two tags, and each attribute, is one of the language's own."""
    browser = Browser(app)
    for _ in range(2 if not path.startswith("/account") else 1):
        if path.startswith("/account") or _:
            browser.post("/login", **DUMMY)
        page = browser.get(f"{path}?lang={code}").text
        page = re.sub('<nav class="contents".*<footer', "<footer", page, flags=re.DOTALL)
        own = re.sub(rf'<(\w+)[^>]* lang="(?!{code}").*?</\1>', "", page, flags=re.DOTALL)
        shown = {html.unescape(text).strip() for text in re.findall(r">([^<>]+)<", own)}
        shown |= {html.unescape(text) for text in re.findall(r'[\w-]+="([^"]+)"', own)}
        mixed = shown & of_the_other(code)
        assert mixed == set()


@pytest.mark.parametrize(("code", "mark"), [("en", ":"), ("id", ".")])
def test_times_are_written_as_the_language_writes_them(
    app: Flask, dummy: dict[str, str], code: str, mark: str
) -> None:
    browser = Browser(app)
    browser.post("/login", **DUMMY)
    home = browser.get(f"/?lang={code}").text
    (token,) = re.findall(r'id="access-token">([^<]+)<', home)
    pages = [home, browser.post("/resource", token=token).text]
    pages += [browser.get(f"/account/{name}").text for name in ("profile", "devices")]
    for page in pages:
        shown = re.findall(r"\b\d\d\D\d\d UTC", page)
        assert shown
        assert {time[2] for time in shown} == {mark}


def of_the_other(code: str) -> set[str]:
    """The texts of the other language, but for those that both have."""
    texts: dict[str, set[str]] = {"en": set(), "id": set()}
    for message in filter(lambda message: message.id, translations.read(CATALOGUE)):
        texts["en"] |= {message.id} if isinstance(message.id, str) else set(message.id)
        texts["id"] |= {"".join(message.string or "")}
    other = "en" if code == "id" else "id"
    return texts[other] - texts[code] - {"Resource"}


@pytest.mark.parametrize(
    ("header", "code"),
    [("en-US,id;q=0.3", "en"), ("id-ID,en;q=0.5", "id"), ("id;q=0,en", "en"), ("ID", "id")],
)
def test_the_language_that_a_reader_wants_most_wins(
    shared_client: FlaskClient, header: str, code: str
) -> None:
    assert language_of(shared_client, **{"Accept-Language": header}) == code


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/.well-known/jwks.json"])
def test_what_is_the_same_for_every_client_keeps_no_language(
    shared_client: FlaskClient, path: str
) -> None:
    assert "Set-Cookie" not in shared_client.get(f"{path}?lang=id", headers=BROWSER).headers


def test_an_account_keeps_the_language_that_it_was_made_in(app: Flask) -> None:
    browser = Browser(app)
    browser.get("/register?lang=id")
    browser.post("/register", **DUMMY)
    app.test_client().post("/register", data=DUMMY | {"username": "two", "email": "two@x.com"})
    with app.app_context():
        assert list(db.session.scalars(select(User.language).order_by(User.id))) == ["id", None]


# Of the validator, what our options or the length that we check first never let through.
NEVER = (
    "display name", "angle bracket", "anything after the email", "close quote", "in brackets",
    "IPv6", "deliverable", "not valid ASCII", "After Unicode normalization: ",
)  # fmt: skip


def test_a_new_message_of_the_validator_is_noticed() -> None:
    """Every message in its source has a sentence of ours, or cannot occur."""
    folder = Path(email_validator.__file__).parent
    texts = [
        "".join(
            str(part.value) for part in ast.walk(call.args[0]) if isinstance(part, ast.Constant)
        )
        for name in ("syntax.py", "validate_email.py")
        for call in ast.walk(ast.parse((folder / name).read_text()))
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") == "EmailSyntaxError"
        and call.args
    ]
    assert len(texts) > 30
    unknown = [
        text for text in texts
        if explain(text) == _OTHER and not any(part in text for part in NEVER)
    ]  # fmt: skip
    assert unknown == []
