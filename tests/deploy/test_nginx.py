"""What nginx answers itself has the headers and the texts of the application."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.exceptions import default_exceptions

from app.web.errors import problems
from app.web.parsing import MAX_BODY_BYTES
from tests.support.application import BROWSER
from tests.support.environment import ROOT

NGINX = (ROOT / "nginx.conf").read_text("utf-8")
FOLDER = ROOT / "deploy" / "nginx"
# What an answer has besides: of its own content, of its own request, or of the server.
OF_THE_ANSWER = {
    "Cache-Control", "Content-Length", "Content-Type", "Server", "Set-Cookie", "Vary",
    "X-Request-Id",
}  # fmt: skip


def mapped(name: str) -> dict[str, str]:
    """The entries of `map … $name { … }`."""
    (block,) = re.findall(rf"map [^{{]*\${name} \{{(.*?)^    \}}", NGINX, re.DOTALL | re.MULTILINE)
    entries = re.findall(r'^\s+(\S+)\s+(?:"([^"]*)"|([^";]+));', block, re.MULTILINE)
    return {key: quoted or bare for key, quoted, bare in entries}


def answered_by_nginx() -> set[str]:
    """The statuses with which nginx answers in the service's shape."""
    statuses: set[str] = set()
    for line in re.findall(
        r"^error_page (.+);", (FOLDER / "error_pages.conf").read_text(), re.MULTILINE
    ):
        *found, _ = line.split()
        renamed = [each.removeprefix("=") for each in found if each.startswith("=")]
        statuses.update(renamed or found)
    return statuses


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def problem_of(app: Flask) -> Callable[[str], dict[str, str]]:
    """What the application answers where nothing but the status is known."""

    def problem(status: str) -> dict[str, str]:
        with app.test_request_context("/api/"):
            answer = problems.from_http_error(default_exceptions[int(status)]())
            members: dict[str, str] = answer.get_json()
            return members

    return problem


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_its_headers_are_those_of_a_page(make_app: Callable[..., Flask], scheme: str) -> None:
    client = make_app(public_url=f"{scheme}://login.example.com").test_client()
    conf = (FOLDER / "headers.conf").read_text("utf-8")
    added = re.findall(r'^add_header (\S+) (?:"([^"]*)"|(\S+)) always;$', conf, re.MULTILINE)
    assert len(added) == conf.count("add_header")
    security = mapped("transport_security")
    of_scheme = {"$transport_security": security.get(scheme, "")}
    nginx = {name: of_scheme.get(bare, quoted or bare) for name, quoted, bare in added}
    page = client.get("/login", headers=BROWSER).headers
    ours = {name: value for name, value in page.items() if name not in OF_THE_ANSWER}
    # nginx adds no header without a value.
    assert {name: value for name, value in nginx.items() if value} == ours


def test_its_page_has_what_the_service_has() -> None:
    page = (FOLDER / "errors.conf").read_text("utf-8")
    for part in ('lang="$page_language"', "<span>$app_name</span>", "$page_actions", "/$page_cat."):
        assert part in page


def test_every_error_has_its_title_and_code() -> None:
    statuses = answered_by_nginx()
    assert {"400", "404", "405", "413", "429", "431", "503"} <= statuses
    for name in ("title", "code"):
        assert mapped(name).keys() - {"default"} == statuses


def test_its_titles_and_codes_are_those_of_the_application(
    problem_of: Callable[[str], dict[str, str]],
) -> None:
    titles, codes = mapped("title"), mapped("code")
    compared = 0
    for status in codes.keys() & set(map(str, default_exceptions)):
        ours = problem_of(status)
        if ours["code"] != "error":  # which the application never answers with
            assert (titles[status], codes[status]) == (ours["title"], ours["code"])
            compared += 1
    assert compared > 5


@pytest.mark.parametrize("status", ["404", "408", "413"])
def test_a_text_that_both_have_is_the_same(
    problem_of: Callable[[str], dict[str, str]], status: str
) -> None:
    assert mapped("detail")[status] == problem_of(status)["detail"]


LANGUAGES = ("en", "id")


def shown(name: str, language: str, status: str) -> str:
    """The value of a map of page_texts.conf: the exact key, the first pattern, the default."""
    source = (FOLDER / "page_texts.conf").read_text("utf-8")
    (block,) = re.findall(rf"^map [^{{]*\${name} \{{(.*?)^\}}", source, re.DOTALL | re.MULTILINE)
    found = re.findall(r"""^\s+("[^"]*"|\S+)\s+("[^"]*"|'[^']*'|[^"';]+);""", block, re.MULTILINE)
    entries: dict[str, str] = {key.strip('"'): value.strip("\"'") for key, value in found}
    asked = {"page_cat": status, "page_details": language}.get(name, f"{language} {status}")
    patterns = [key for key in entries if key.startswith("~") and re.search(key[1:], asked)]
    return entries[next(iter([asked] * (asked in entries) + patterns + ["default"]))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_of_its_own_speaks_to_people(language: str) -> None:
    """D24: no name of a status as the heading, and a way on that fits."""
    for status in answered_by_nginx():
        heading, text = (shown(name, language, status) for name in ("page_heading", "page_text"))
        assert heading not in mapped("title").values()
        assert text
        waiting = status in {"408", "429"} or status.startswith("5")
        actions = shown("page_actions", language, status)
        assert actions.startswith(
            f'<a class="button primary" href="{"" if waiting else "$page_home"}">'
        )
        cat = FOLDER.parents[1] / "app" / "static" / f"{shown('page_cat', language, status)}.svg"
        assert cat.exists()
    other = {shown("page_heading", each, "404") for each in LANGUAGES}
    assert len(other) == len(LANGUAGES)


@pytest.mark.parametrize("status", ["400", "404", "405", "408", "413", "429", "503"])
def test_its_headings_are_those_of_the_pages(status: str) -> None:
    assert shown("page_heading", "en", status) == str(problems._HEADINGS[int(status)])


def test_its_cats_are_those_that_fit() -> None:
    cats = {status: shown("page_cat", "en", status) for status in ("404", "413", "421", "502")}
    assert cats == {
        "404": "cat-box", "413": "cat-box", "421": "cat-door", "502": "cat-cable",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        ("", "", "en"), ("", "id", "id"), ("", "id-ID,id;q=0.9,en;q=0.8", "id"),
        ("", "en-US,id;q=0.9", "en"), ("", "ido", "en"), ("lang=id", "en", "id"),
        ("lang=en", "id", "en"), ("a=b; __Host-lang=id; c=d", "en", "id"),
        ("mylang=id", "en", "en"), ("lang=idx", "en", "en"),
    ],
)  # fmt: skip
def test_its_pages_are_in_the_language_that_was_chosen(
    cookie: str, accepted: str, language: str
) -> None:
    source = (FOLDER / "page_texts.conf").read_text("utf-8")
    (block,) = re.findall(r"\$page_language \{(.*?)^\}", source, re.DOTALL | re.MULTILINE)
    patterns = re.findall(r'^\s+"~(\*?)([^"]+)"\s+(\w+);', block, re.MULTILINE)
    chosen = [
        code
        for caseless, pattern, code in patterns
        if re.search(pattern, f"{cookie}|{accepted}", re.IGNORECASE if caseless else 0)
    ]
    assert [*chosen, "en"][0] == language


def test_its_limits_are_those_of_the_application() -> None:
    (size,) = re.findall(r"client_max_body_size (\d+)k;", NGINX)
    assert int(size) * 1024 == MAX_BODY_BYTES
    assert f"{size} KiB" in mapped("detail")["413"]
    again = mapped("retry_after")
    assert again == {"429": "5", "~^50[234]": str(problems.RETRY_SECONDS), "default": ""}
