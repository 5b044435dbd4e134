"""Signing in with outside providers: oidc-provider-mock and a Graph server of the tests' own."""

from __future__ import annotations

import html
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, expect
from werkzeug.test import TestResponse

from app.accounts import disabling, lookup, password_change, registration
from app.config import Config, ConfigError
from app.social import linking
from app.social.codes import s256
from tests.support.application import BROWSER, DUMMY, assert_problem, bearer  # fmt: skip
from tests.support.browsing import Browser
from tests.support.databases import execute, select  # fmt: skip
from tests.support.environment import wait_until  # fmt: skip
from tests.support.http import once
from tests.support.providers import SECRET, GraphMock, OpenIDMock, another_key, serving
from tests.support.servers import Server, run_server  # fmt: skip

# The mock calls a part of Authlib by its old name.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config")

PUBLIC = "http://127.0.0.1:5000"
CONNECTIONS = "/account/connections"
FRONT_END = "https://app.example.com/signed-in?from=login"
VERIFIER = "v" * 64
CHALLENGE = s256(VERIFIER)


@pytest.fixture(scope="module")
def openid() -> Iterator[OpenIDMock]:
    mock = OpenIDMock()
    with serving(mock.app) as mock.url:
        yield mock


@pytest.fixture(scope="module")
def company() -> Iterator[OpenIDMock]:
    """Another issuer, for the OIDC_ settings."""
    mock = OpenIDMock()
    with serving(mock.app) as mock.url:
        yield mock


@pytest.fixture(scope="module")
def facebook() -> Iterator[GraphMock]:
    mock = GraphMock()
    with serving(mock.app) as mock.url:
        yield mock


@pytest.fixture(autouse=True)
def good(openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock) -> Iterator[None]:
    """Every test begins with providers that behave and know these people."""
    for mock in (openid, company):
        mock.person("sari", name="Sari Wulandari", email="sari@example.com", email_verified=True)
        mock.person("unproven", name="Budi", email="budi@example.com", email_verified=False)
        mock.person("dummy", name="Dummy", email=DUMMY["email"], email_verified=True)
        mock.seen.clear()
    facebook.people = {
        "Ayu": {"id": "10001", "name": "Ayu Lestari"},
        "Budi": {"id": "10002", "name": "Budi", "email": "budi@example.com"},
        "Dummy": {"id": "10003", "name": "Dummy", "email": DUMMY["email"]},
    }
    facebook.seen.clear()
    yield
    openid.good()
    company.good()
    facebook.good()


def hosted(claims: dict[str, Any]) -> dict[str, Any]:
    """What Google says of a person in an organisation that it hosts."""
    return claims | {"hd": claims["email"].partition("@")[2]}


def hours_ago(hours: float) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What a provider says of a person whom it asked for the password that long ago."""
    return lambda claims: claims | {"auth_time": int(time.time() - hours * 3600)}


def settings(openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock) -> dict[str, Any]:
    return {
        "google_client_id": "google-app", "google_client_secret": SECRET,
        "google_discovery_url": f"{openid.url}/.well-known/openid-configuration",
        "facebook_client_id": "facebook-app", "facebook_client_secret": SECRET,
        "facebook_graph_url": f"{facebook.url}/v1.0",
        "facebook_authorize_url": f"{facebook.url}/dialog/oauth",
        "oidc_name": "Kantor", "oidc_issuer": company.url,
        "oidc_client_id": "oidc-app", "oidc_client_secret": SECRET,
    }  # fmt: skip


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The rules are tested on MySQL as well; what is seen here does not depend on it."""
    return sqlite_url


@pytest.fixture
def app(
    make_app: Callable[..., Flask], openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock
) -> Flask:
    return make_app(
        **settings(openid, company, facebook),
        threads=8,
        client_redirect_urls=(FRONT_END,),
        oidc_verified_domains=("example.com", "dummy.com"),
    )


class Person(Browser):
    """A person at a browser, who also has accounts elsewhere."""

    def leave(self, name: str, query: str = "") -> str:
        """Press the provider's button, and say where that leads."""
        answer = self.get(f"/login/{name}{query}")
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def resume(self, address: str) -> TestResponse:
        """Follow a redirect from the provider."""
        assert address.startswith(f"{PUBLIC}/"), address
        return self.get(address.removeprefix(PUBLIC))

    def keep(self, cookie: str) -> None:
        """Hold another browser's cookie."""
        self._client.set_cookie("session", cookie, domain="127.0.0.1")

    def sign_in(self, name: str, who: str, query: str = "") -> TestResponse:
        return self.resume(allow(self.leave(name, query), who))


@pytest.fixture
def somebody(app: Flask) -> Person:
    return Person(app)


def allow(address: str, who: str) -> str:
    """Say yes at the provider, as this person there; the address that it sends the browser to."""
    field = "who" if "/dialog/oauth" in address else "sub"
    answer = requests.post(address, data={field: who}, allow_redirects=False, timeout=5)
    return answer.headers["Location"].removesuffix("#_=_")


def token_of(page: TestResponse) -> str:
    return html.unescape(re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0])


def database(app: Flask) -> str:
    found: str = app.config["SQLALCHEMY_DATABASE_URI"]
    return found


def heading(answer: TestResponse) -> str:
    return html.unescape(re.findall(r"<h1[^>]*>(.*?)</h1>", answer.text)[0])


def goes_to(answer: TestResponse, path: str) -> bool:
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"] == path


# --- first and later visits ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["google", "oidc"])
def test_a_first_and_a_second_visit(
    app: Flask, openid: OpenIDMock, company: OpenIDMock, name: str
) -> None:
    first = Person(app)
    assert goes_to(first.sign_in(name, "sari"), "/welcome?next=%2F")
    page = first.get("/welcome?next=/")
    assert 'value="sari.wulandari"' in page.text
    assert goes_to(first.post("/welcome", username="sari", next="/"), "/")
    assert "sari" in first.get("/account/profile").text
    assert goes_to(first.get("/welcome"), "/account/profile")  # once is enough

    second = Person(app)
    assert goes_to(second.sign_in(name, "sari", "?next=/resource"), "/resource")
    assert "akses sukses" in second.get("/resource").text
    with app.app_context():
        assert len(lookup.list_all()) == 1
    assert openid.times("/userinfo") + company.times("/userinfo") == 0


def test_the_account_of_a_first_visit_keeps_the_language_that_it_began_in(app: Flask) -> None:
    here = Person(app)
    assert "Lanjutkan dengan Google" in here.get("/login?lang=id").text
    here.sign_in("google", "sari")
    elsewhere = Person(app)
    assert '<html lang="en"' in elsewhere.get("/login").text
    elsewhere.sign_in("google", "sari")
    assert '<html lang="id"' in elsewhere.get("/account/profile").text


def test_what_the_provider_is_asked(somebody: Person, openid: OpenIDMock) -> None:
    asked = dict(parse_qsl(urlsplit(somebody.leave("google")).query))
    assert asked["response_type"] == "code"
    assert asked["scope"] == "openid email profile"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["nonce"]) >= 16
    assert len(asked["state"]) >= 16
    assert asked["redirect_uri"] == f"{PUBLIC}/login/google/callback"
    assert asked["client_id"] == "google-app"


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host"])
def test_the_callback_is_at_the_public_address_alone(somebody: Person, header: str) -> None:
    headers = {"Accept": "text/html", header: "evil.example.com"}
    answer = somebody.send("GET", "/login/google", headers=headers)
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"{PUBLIC}/login/google/callback"]


def test_only_what_is_set_up_is_offered(
    make_app: Callable[..., Flask], openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock
) -> None:
    bare = Person(make_app())
    assert "Continue with" not in bare.get("/login").text
    assert bare.get("/login/google").status_code == 404
    assert bare.get("/login/google/callback").status_code == 404
    whole = Person(make_app(**settings(openid, company, facebook)))
    names = re.findall("Continue with (\\w+)", whole.get("/login").text)
    assert names == ["Google", "Facebook", "Kantor"]


def test_an_email_that_the_id_token_does_not_have_is_asked_for(
    app: Flask, company: OpenIDMock
) -> None:
    company.forge = lambda claims: {k: v for k, v in claims.items() if "email" not in k}
    assert goes_to(Person(app).sign_in("oidc", "sari"), "/welcome?next=%2F")
    assert company.times("/userinfo") == 1
    with app.app_context():
        assert [account.email for account in lookup.list_all()] == ["sari@example.com"]


def test_a_session_that_ends_at_another_sign_in_is_over(app: Flask, somebody: Person) -> None:
    somebody.sign_in("google", "sari")
    somebody.sign_in("google", "sari")
    rows = select(
        app.config["SQLALCHEMY_DATABASE_URI"], "SELECT revoked_at IS NULL FROM session ORDER BY id"
    )
    assert rows == [(0,), (1,)]


def test_programs_are_sent_away(app: Flask) -> None:
    client = app.test_client()
    for path in ("/login/google", "/login/google/callback", "/login/connect"):
        answer = client.get(path)
        assert (answer.status_code, answer.content_type) == (406, "application/problem+json")
        assert "Set-Cookie" not in answer.headers
    assert client.post("/account/connections/connect/google").status_code == 401


# --- states --------------------------------------------------------------------------------------


def test_a_state_of_another_browser_counts_nothing(app: Flask, openid: OpenIDMock) -> None:
    attacker, victim = Person(app), Person(app)
    address = allow(attacker.leave("google"), "sari")
    victim.get("/login")
    refused = victim.resume(address)
    assert (refused.status_code, heading(refused)) == (400, "This login attempt is over")
    assert not victim.signed_in()
    assert openid.times("/token") == 0  # the code was not even tried


def test_a_state_counts_once(somebody: Person, openid: OpenIDMock) -> None:
    address = allow(somebody.leave("google"), "sari")
    assert somebody.resume(address).status_code == 303
    refused = somebody.resume(address)
    assert (refused.status_code, heading(refused)) == (400, "This login attempt is over")
    assert openid.times("/token") == 1


def test_a_state_counts_once_after_a_refusal_too(somebody: Person, openid: OpenIDMock) -> None:
    address = allow(somebody.leave("google"), "sari")
    openid.faults = {"/token": "500"}
    assert somebody.resume(address).status_code == 502
    openid.good()
    assert somebody.resume(address).status_code == 400


def test_no_state_counts_nothing(somebody: Person) -> None:
    somebody.leave("google")
    for query in ("", "?code=x", "?code=x&state=", "?state=x", "?error=access_denied"):
        assert somebody.get(f"/login/google/callback{query}").status_code == 400


def test_the_code_of_one_provider_is_refused_at_another(
    app: Flask, openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock
) -> None:
    for asked, given in [("google", "facebook"), ("google", "oidc"), ("facebook", "google")]:
        person = Person(app)
        address = allow(person.leave(asked), "Ayu" if asked == "facebook" else "sari")
        person.leave(given)
        refused = person.resume(address.replace(f"/{asked}/callback", f"/{given}/callback"))
        assert (refused.status_code, heading(refused)) == (400, "This login attempt is over")
    assert openid.times("/token") + company.times("/token") == 0
    assert facebook.times("/access_token") == 0


def test_abandoned_starts_do_not_fill_the_cookie(somebody: Person) -> None:
    query = f"?next=/{'n' * 290}"
    addresses = [somebody.leave("google" if n % 2 else "oidc", query) for n in range(30)]
    assert len(somebody.cookie() or "") < 3000
    assert somebody.resume(allow(addresses[0], "sari")).status_code == 400
    assert goes_to(
        somebody.resume(allow(addresses[-2], "sari")), f"/welcome{query}".replace("=/", "=%2F")
    )


def test_a_start_goes_on_although_the_cookie_is_renewed(
    make_app: Callable[..., Flask], openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock
) -> None:
    app = make_app(**settings(openid, company, facebook), access_token_ttl=1)
    person = Person(app)
    person.sign_in("google", "sari")
    answer = person.post("/account/connections/connect/facebook")
    address = html.unescape(re.findall(r'href="([^"]+/dialog/oauth[^"]+)"', answer.text)[0])
    wait = time.time() + 0.6
    back = allow(address, "Ayu")
    while time.time() < wait:
        person.get("/healthz")
    assert goes_to(person.resume(back), CONNECTIONS)


# --- ID tokens -----------------------------------------------------------------------------------

FORGERIES = {
    "nonce": lambda claims: claims | {"nonce": "another"},
    "no nonce": lambda claims: {k: v for k, v in claims.items() if k != "nonce"},
    "audience": lambda claims: claims | {"aud": "another-app"},
    "audience of two": lambda claims: claims | {"aud": [claims["aud"], "another-app"]},
    "audience with our azp": lambda claims: claims | {"aud": "x", "azp": "google-app"},
    "no audience": lambda claims: {k: v for k, v in claims.items() if k != "aud"},
    "issuer": lambda claims: claims | {"iss": "https://evil.example.com"},
    "issuers": lambda claims: claims | {"iss": [claims["iss"], "https://evil.example.com"]},
    "expired": lambda claims: claims | {"iat": 1_700_000_000, "exp": 1_700_000_600},
    "no expiry": lambda claims: {k: v for k, v in claims.items() if k != "exp"},
    "no subject": lambda claims: {k: v for k, v in claims.items() if k != "sub"},
    "empty subject": lambda claims: claims | {"sub": ""},
    "number as subject": lambda claims: claims | {"sub": 7},
    "subject with a space": lambda claims: claims | {"sub": "sari "},
}


def assert_unsigned(person: Person, answer: TestResponse, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert heading(answer).startswith(("Not logged in with", "This login attempt is over"))
    assert not person.signed_in()


@pytest.mark.parametrize("forgery", FORGERIES)
def test_an_id_token_that_says_the_wrong_thing_is_refused(
    somebody: Person, openid: OpenIDMock, forgery: str, caplog: pytest.LogCaptureFixture
) -> None:
    openid.forge = FORGERIES[forgery]
    assert_unsigned(somebody, somebody.sign_in("google", "sari"), 502)
    (record,) = [r for r in caplog.records if r.getMessage() == "provider_login.failed"]
    facts = vars(record)["facts"]
    assert (facts["provider"], facts["error"]) == ("google", "provider_fault")
    assert record.levelno == logging.WARNING
    openid.good()
    assert somebody.sign_in("google", "sari").status_code == 303


@pytest.mark.parametrize("others", [[], ["another-app"]])
def test_an_id_token_for_several_is_good_where_it_was_asked_for_here(
    somebody: Person, openid: OpenIDMock, others: list[str]
) -> None:
    openid.forge = lambda claims: claims | {"aud": ["google-app", *others], "azp": "google-app"}
    assert somebody.sign_in("google", "sari").status_code == 303


@pytest.mark.parametrize(
    ("key", "algorithm"), [(another_key(), "RS256"), (SECRET.ljust(32), "HS256"), ("", "none")]
)
def test_an_id_token_that_somebody_else_signed_is_refused(
    somebody: Person, openid: OpenIDMock, key: object, algorithm: str
) -> None:
    openid.key, openid.algorithm, openid.forge = key, algorithm, dict
    assert_unsigned(somebody, somebody.sign_in("google", "sari"), 502)


def test_an_answer_that_says_it_is_from_another_is_refused(
    somebody: Person, openid: OpenIDMock
) -> None:
    openid.iss = "https://evil.example.com"
    assert_unsigned(somebody, somebody.sign_in("google", "sari"), 502)
    assert openid.times("/token") == 0
    openid.iss = openid.url
    assert somebody.sign_in("google", "sari").status_code == 303


# --- faults of providers -------------------------------------------------------------------------

FAULTS = [
    ("google", path, fault)
    for path in ("/openid-configuration", "/token", "/jwks")
    for fault in ("500", "garbage", "list", "empty")
] + [
    ("facebook", path, fault)
    for path in ("/access_token", "/me")
    for fault in ("500", "garbage", "list", "empty")
]  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_a_provider_that_answers_nonsense(
    somebody: Person, openid: OpenIDMock, facebook: GraphMock, case: tuple[str, ...]
) -> None:
    name, path, fault = case
    mock, who = (openid, "sari") if name == "google" else (facebook, "Ayu")
    mock.faults = {path: fault}
    if path == "/openid-configuration":
        assert_unsigned(somebody, somebody.get("/login/google"), 502)
    else:
        assert_unsigned(somebody, somebody.sign_in(name, who), 502)
    mock.good()  # and what it said has left nothing behind
    assert somebody.sign_in(name, who).status_code == 303


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example.com"}, {"issuer": None}, {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"}, {"jwks_uri": 7},
    ],
)  # fmt: skip
def test_a_provider_that_describes_itself_wrongly(
    somebody: Person, openid: OpenIDMock, changes: dict[str, object]
) -> None:
    described = requests.get(f"{openid.url}/.well-known/openid-configuration", timeout=5).json()
    openid.faults = {"/openid-configuration": described | changes}
    assert_unsigned(somebody, somebody.get("/login/google"), 502)
    openid.good()
    assert somebody.sign_in("google", "sari").status_code == 303


def test_a_provider_that_promises_to_name_itself_has_to(
    somebody: Person, openid: OpenIDMock
) -> None:
    described = requests.get(f"{openid.url}/.well-known/openid-configuration", timeout=5).json()
    promise = {"authorization_response_iss_parameter_supported": True}
    openid.faults = {"/openid-configuration": described | promise}
    assert_unsigned(somebody, somebody.sign_in("google", "sari"), 502)
    openid.iss = openid.url
    assert somebody.sign_in("google", "sari").status_code == 303


def test_a_provider_that_takes_the_secret_in_the_form_alone(
    somebody: Person, openid: OpenIDMock
) -> None:
    described = requests.get(f"{openid.url}/.well-known/openid-configuration", timeout=5).json()
    methods = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    openid.faults = {"/openid-configuration": described | methods}
    assert somebody.sign_in("google", "sari").status_code == 303
    (sent,) = [fields for path, fields in openid.seen if path.endswith("/token")]
    assert sent["client_secret"] == SECRET


@pytest.mark.parametrize("name", ["google", "facebook"])
def test_consent_denied(somebody: Person, name: str) -> None:
    state = parse_qs(urlsplit(somebody.leave(name)).query)["state"][0]
    refused = somebody.get(f"/login/{name}/callback?error=access_denied&state={state}")
    assert_unsigned(somebody, refused, 403)
    assert "You cancelled. Nothing has changed." in refused.text
    assert f'href="/login/{name}"' in refused.text


def test_another_error_is_not_shown_in_the_providers_words(somebody: Person) -> None:
    state = parse_qs(urlsplit(somebody.leave("google")).query)["state"][0]
    words = f"error=<b>bold&error_description=<script>alert(1)</script>&state={state}"
    refused = somebody.get(f"/login/google/callback?{words}")
    assert_unsigned(somebody, refused, 502)
    assert "bold" not in refused.text
    assert "alert(1)" not in refused.text


def test_while_a_provider_hangs_nothing_else_waits(
    serve: Callable[..., AbstractContextManager[Server]],
    sqlite_url: str, openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock,
) -> None:  # fmt: skip
    environment = {
        name.upper(): value for name, value in settings(openid, company, facebook).items()
    }
    with serve(sqlite_url, **environment, WORKERS="1", THREADS="8") as server:
        pair = once(server.url, "POST", "/register", **DUMMY)
        assert pair.status == 201
        token = once(server.url, "POST", "/login", **DUMMY).json()["access_token"]
        openid.faults = {"/openid-configuration": "hang"}

        def press(_: int) -> tuple[int, str, float]:
            began = time.monotonic()
            answer = requests.get(f"{server.url}/login/google", headers=BROWSER, timeout=30)
            return answer.status_code, answer.text, time.monotonic() - began

        with ThreadPoolExecutor(8) as pool:
            pressed = [pool.submit(press, n) for n in range(8)]
            wait_until(lambda: openid.times("/openid-configuration") == 2, "two to hang")
            slowest = 0.0
            for _ in range(50):
                began = time.monotonic()
                opened = once(server.url, "GET", "/resource", token)
                assert opened.status == 200
                slowest = max(slowest, time.monotonic() - began)
            assert slowest < 1
            meanwhile = requests.get(
                f"{server.url}/login/facebook", headers=BROWSER, timeout=2, allow_redirects=False
            )
            assert meanwhile.status_code == 303
            answers = [future.result() for future in pressed]
        assert sorted(status for status, *_ in answers) == [503] * 6 + [504] * 2
        assert all(seconds < 8 for *_, seconds in answers)
        assert all(
            "Google does not answer" in text or "Google is busy" in text for _, text, _ in answers
        )
        assert openid.times("/openid-configuration") == 2


# --- Facebook ------------------------------------------------------------------------------------


def test_a_person_without_an_email_is_asked_for_one(app: Flask, facebook: GraphMock) -> None:
    person = Person(app)
    assert goes_to(person.sign_in("facebook", "Ayu"), "/welcome?next=%2F")
    page = person.get("/welcome")
    assert 'name="email"' in page.text
    missing = person.post("/welcome", username="ayu")
    assert (missing.status_code, "Enter your e-mail" in missing.text) == (400, True)
    assert goes_to(person.post("/welcome", username="ayu", email="ayu@example.com"), "/")
    with app.app_context():
        (account,) = lookup.list_all()
        assert (account.username, account.email) == ("ayu", "ayu@example.com")
    rows = select(app.config["SQLALCHEMY_DATABASE_URI"], "SELECT email_verified_at FROM user")
    assert rows == [(None,)]
    assert goes_to(Person(app).sign_in("facebook", "Ayu"), "/")
    # The access token and the app's secret are in no address.
    assert all(SECRET not in str(path) and "EAA" not in str(path) for path, _ in facebook.seen)
    asked = [fields for path, fields in facebook.seen if path.endswith("/me")]
    assert asked[0].keys() == {"fields", "appsecret_proof"}


def test_an_email_that_somebody_has_is_refused_on_the_welcome_page(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    person = Person(app)
    person.sign_in("facebook", "Ayu")
    refused = person.post("/welcome", username="DummyUser", email="ayu@example.com")
    assert (refused.status_code, "That username is taken" in refused.text) == (409, True)
    refused = person.post("/welcome", username="ayu", email=dummy["email"])
    assert (refused.status_code, "already has an account" in refused.text) == (409, True)


def test_a_stranger_has_no_welcome_page(somebody: Person) -> None:
    assert goes_to(somebody.get("/welcome"), "/login?next=/welcome")
    token = somebody.csrf_token()
    assert goes_to(somebody.post("/welcome", token, username="x"), "/login?next=/welcome")


# --- joining and refusing to join ----------------------------------------------------------------


@pytest.mark.parametrize(("name", "who"), [("google", "dummy"), ("facebook", "Dummy")])
def test_the_owner_of_the_email_connects_with_the_password(
    app: Flask, dummy: dict[str, str], name: str, who: str
) -> None:
    person = Person(app)
    assert goes_to(person.sign_in(name, who, "?next=/resource"), "/login/connect")
    page = person.get("/login/connect")
    assert heading(page) == "Is this account yours?"
    assert dummy["email"] in page.text
    assert f'value="{dummy["email"]}"' in page.text  # D15: the account that the page names
    token = token_of(page)
    wrong = person.post("/login/connect", token, username="dummyuser", password="wrong password")
    assert (wrong.status_code, "username and password do not match" in wrong.text) == (401, True)
    right = person.post("/login/connect", token, username="dummyuser", password=dummy["password"])
    assert goes_to(right, "/resource")
    told = html.unescape(person.get(CONNECTIONS).text)
    assert "You are logged in as dummyuser. Google is connected" in told.replace(
        "Facebook", "Google"
    )
    assert goes_to(Person(app).sign_in(name, who), "/")
    with app.app_context():
        assert len(lookup.list_all()) == 1


def test_without_the_password_nothing_is_connected(app: Flask, dummy: dict[str, str]) -> None:
    person = Person(app)
    person.sign_in("google", "dummy")
    assert not person.signed_in()
    assert person.post("/login/connect", "made up", **dummy).status_code == 400
    with app.app_context():
        assert [linking.identities(account.id) for account in lookup.list_all()] == [[]]
    assert Person(app).get("/login/connect").status_code == 400


def test_emails_proven_on_both_sides_are_joined(app: Flask, openid: OpenIDMock) -> None:
    openid.forge = hosted
    Person(app).sign_in("google", "sari")
    assert goes_to(Person(app).sign_in("oidc", "sari"), "/")
    with app.app_context():
        (account,) = lookup.list_all()
        assert [i.provider for i in linking.identities(account.id)] == ["google", "oidc"]


def test_a_password_of_an_unproven_owner_is_removed_by_a_join(
    app: Flask, dummy: dict[str, str], client: FlaskClient, openid: OpenIDMock
) -> None:
    openid.forge = hosted
    early = Person(app)
    assert goes_to(early.post("/login", **dummy), "/")
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    execute(url, "UPDATE user SET created_at = '2026-01-01', email_verified_at = '2026-02-01'")
    owner = Person(app)
    assert goes_to(owner.sign_in("google", "dummy"), "/")
    assert "no longer works" in owner.get(CONNECTIONS).text
    assert client.post("/login", data=dummy).status_code == 401
    assert not early.signed_in()


def test_a_disabled_account_stays_shut(app: Flask) -> None:
    person = Person(app)
    person.sign_in("google", "sari")
    with app.app_context():
        disabling.set_disabled(lookup.list_all()[0].id, disabled=True)
    again = Person(app)
    refused = again.sign_in("google", "sari")
    assert (refused.status_code, heading(refused)) == (403, "You cannot log in here")
    assert not again.signed_in()


# --- the account page ----------------------------------------------------------------------------


def link(person: Person, name: str, **proof: str) -> str:
    """Press "Connect …" on the account page, and say where that leads."""
    return led_to(person.post(f"/account/connections/connect/{name}", **proof))


def confirmation(person: Person, name: str) -> str:
    """Press "Confirm with …" on the account page, and say where that leads."""
    return led_to(person.post(f"/account/connections/confirm/{name}"))


def led_to(answer: TestResponse) -> str:
    assert answer.status_code == 200, answer.text
    (address,) = set(re.findall(r'(?:href="|; url=)(http[^"]+)"', answer.text))
    return html.unescape(address)


def buttons(person: Person) -> list[str]:
    page = person.get(CONNECTIONS).text
    return re.findall(r"(?:>|<span>)((?:Connect|Disconnect) ?\w*)<", page)


def test_linking_and_unlinking(app: Flask, dummy: dict[str, str]) -> None:
    person = Person(app)
    person.post("/login", **dummy)
    assert buttons(person) == ["Connect Google", "Connect Facebook", "Connect Kantor"]
    assert goes_to(person.resume(allow(link(person, "google"), "sari")), CONNECTIONS)
    page = person.get(CONNECTIONS).text
    assert "sari@example.com" in page
    assert buttons(person) == ["Disconnect", "Connect Facebook", "Connect Kantor"]
    assert goes_to(Person(app).sign_in("google", "sari"), "/")
    (path,) = re.findall(r'action="(/account/connections/\d+/disconnect)"', page)
    assert goes_to(person.get(path), CONNECTIONS)  # D6
    assert goes_to(person.post(path, "made up"), CONNECTIONS)
    assert buttons(person) == ["Disconnect", "Connect Facebook", "Connect Kantor"]
    assert goes_to(person.post(path), CONNECTIONS)
    assert buttons(person) == ["Connect Google", "Connect Facebook", "Connect Kantor"]
    assert goes_to(person.post(path), CONNECTIONS)  # a second click
    assert goes_to(Person(app).sign_in("google", "sari"), "/welcome?next=%2F")


def test_only_the_person_who_asked_is_linked(app: Flask, dummy: dict[str, str]) -> None:
    person, other = Person(app), Person(app)
    person.post("/login", **dummy)
    assert goes_to(person.get("/account/connections/connect/google"), CONNECTIONS)
    assert goes_to(person.post("/account/connections/connect/google", "made up"), CONNECTIONS)
    address = allow(link(person, "google"), "sari")
    other.sign_in("facebook", "Ayu")
    assert other.resume(address).status_code == 400
    person.post("/logout")
    assert person.resume(address).status_code == 400
    with app.app_context():
        assert all(
            identity.provider == "facebook"
            for account in lookup.list_all()
            for identity in linking.identities(account.id)
        )


def test_an_identity_of_another_account_is_not_linked(app: Flask, dummy: dict[str, str]) -> None:
    Person(app).sign_in("google", "sari")
    person = Person(app)
    person.post("/login", **dummy)
    refused = person.resume(allow(link(person, "google"), "sari"))
    assert (refused.status_code, heading(refused)) == (409, "Google is connected elsewhere")
    assert "Back to your connected accounts" in refused.text
    assert "Disconnect" not in buttons(person)


def test_a_social_account_sets_a_password_and_then_has_two_ways_in(
    app: Flask, client: FlaskClient
) -> None:
    person = Person(app)
    person.sign_in("google", "sari")
    page = person.get(CONNECTIONS).text
    assert "This is your only way to log in" in page
    assert 'name="current_password"' not in page
    for section in ("profile", "delete"):
        told = person.get(f"/account/{section}").text
        assert told.count("Set a password first") == 1
        assert "You log in with Google" in told
    (identity_id,) = (i for (i,) in select(database(app), "SELECT id FROM identity"))
    path = f"/account/connections/{identity_id}/disconnect"
    refused = person.post(path)
    assert (refused.status_code, "This is your only way to log in" in refused.text) == (409, True)
    weak = person.post("/account/password", new_password="short")
    assert (weak.status_code, "at least 8 characters" in weak.text) == (400, True)

    execute(database(app), "UPDATE session SET proven_at = '2026-01-01'")
    assert 'name="new_password"' not in person.get("/account/password").text
    stale = person.post("/account/password", new_password="correct horse")
    assert (stale.status_code, "Confirm first that it is you" in stale.text) == (403, True)
    assert goes_to(
        person.resume(allow(confirmation(person, "google"), "sari")), "/account/connections"
    )
    assert goes_to(
        person.post("/account/password", new_password="correct horse"), "/account/password"
    )
    assert "Change password" in person.get("/account/password").text
    login = {"username": "sari.wulandari", "password": "correct horse"}
    assert client.post("/login", data=login).status_code == 200
    assert goes_to(person.post(path), CONNECTIONS)


# --- the program's way ---------------------------------------------------------------------------

ASK = {
    "redirect_uri": FRONT_END, "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    "state": "the front end's & own",
}  # fmt: skip


def front_end(query: dict[str, str]) -> str:
    return f"?{urlencode(query)}"


def answer_of(answer: TestResponse) -> dict[str, str]:
    """What a front end finds in its address."""
    assert answer.status_code == 303, answer.text
    address = answer.headers["Location"]
    assert address.startswith(f"{FRONT_END}&"), address
    return dict(parse_qsl(urlsplit(address).query))


def exchange(client: FlaskClient, code: str, verifier: str = VERIFIER) -> TestResponse:
    return client.post("/api/auth/social/token/", json={"code": code, "code_verifier": verifier})


def test_a_front_end_gets_the_pair(somebody: Person, client: FlaskClient) -> None:
    answer = answer_of(somebody.sign_in("google", "sari", front_end(ASK)))
    assert answer.keys() == {"from", "code", "state"}
    assert answer["state"] == ASK["state"]
    assert not somebody.signed_in()  # the login is the front end's
    given = exchange(client, answer["code"])
    assert (given.status_code, list(given.get_json())) == (200, ["refresh", "access"])
    assert given.headers["Cache-Control"] == "no-store"
    me = client.get("/api/auth/me/", headers=bearer(given.get_json()["access"]))
    assert me.get_json()["username"] == "sari.wulandari"
    refresh = {"refresh": given.get_json()["refresh"]}
    assert client.post("/api/auth/token/refresh/", json=refresh).status_code == 200
    again = exchange(client, answer["code"])
    assert_problem(again, 400, "invalid_grant")
    assert again.get_json()["detail"].startswith("This code is not good")


def test_a_code_needs_its_verifier(somebody: Person, client: FlaskClient) -> None:
    answer = answer_of(somebody.sign_in("google", "sari", front_end(ASK)))
    assert_problem(exchange(client, answer["code"], "w" * 64), 400, "invalid_grant")
    assert_problem(exchange(client, answer["code"]), 400, "invalid_grant")
    bare = client.post("/api/auth/social/token/", json={"code": "x"})
    assert bare.get_json()["code_verifier"] == ["This field is required."]


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example.com/"}, {"redirect_uri": f"{FRONT_END}/../"},
        {"redirect_uri": FRONT_END.upper()}, {"redirect_uri": ""},
        {"code_challenge_method": "plain"}, {"code_challenge_method": ""},
        {"code_challenge": "short"}, {"code_challenge": ""}, {"state": "x" * 201},
        {"state": "line\nbreak"},
    ],
)  # fmt: skip
def test_a_front_end_that_asks_wrongly_is_not_answered(
    somebody: Person, openid: OpenIDMock, changes: dict[str, str]
) -> None:
    refused = somebody.get(f"/login/google{front_end(ASK | changes)}")
    assert refused.status_code == 400
    assert "Location" not in refused.headers
    assert openid.seen == []


def test_a_front_end_is_told_of_a_refusal(app: Flask, openid: OpenIDMock) -> None:
    def error(fault: dict[str, str], query: str = "") -> str:
        person = Person(app)
        address = person.leave("google", front_end(ASK))
        openid.faults = fault
        back = allow(address, "sari") if not query else f"{PUBLIC}/login/google/callback?{query}"
        if query:
            back += f"&state={parse_qs(urlsplit(address).query)['state'][0]}"
        answer = answer_of(person.resume(back))
        openid.good()
        assert answer["state"] == ASK["state"]
        return answer["error"]

    assert error({}, "error=access_denied") == "access_denied"
    assert error({"/token": "500"}) == "server_error"
    assert error({"/token": "hang"}) == "temporarily_unavailable"


def test_a_front_end_gets_its_code_after_the_password_too(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    person = Person(app)
    assert goes_to(person.sign_in("google", "dummy", front_end(ASK)), "/login/connect")
    token = token_of(person.get("/login/connect"))
    page = person.post("/login/connect", token, username="dummyuser", password=dummy["password"])
    assert page.status_code == 200
    (address,) = set(re.findall(r'(?:href="|; url=)(https[^"]+)"', page.text))
    code = parse_qs(urlsplit(html.unescape(address)).query)["code"][0]
    assert not person.signed_in()
    assert exchange(client, code).status_code == 200
    living = "SELECT count(*) FROM session WHERE revoked_at IS NULL"
    assert select(database(app), living) == [(1,)]


def test_a_front_end_of_another_host_may_read_the_answers(client: FlaskClient) -> None:
    asks = {"Origin": "https://app.example.com"}
    preflight = client.options(
        "/api/auth/social/token/",
        headers=asks | {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )  # fmt: skip
    assert preflight.headers["Access-Control-Allow-Origin"] == asks["Origin"]
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()
    for path in ("/api/auth/social/token/", "/api/auth/token/refresh/"):
        answer = client.post(path, json={}, headers=asks)
        assert answer.headers["Access-Control-Allow-Origin"] == asks["Origin"]
        assert "Origin" in answer.headers.getlist("Vary")
        assert "Access-Control-Allow-Credentials" not in answer.headers
        stranger = client.post(path, json={}, headers={"Origin": "https://evil.example.com"})
        assert "Access-Control-Allow-Origin" not in stranger.headers
    assert "Access-Control-Allow-Origin" not in client.post("/login", json={}, headers=asks).headers


# --- issuers, proofs and sessions ----------------------------------------------------------------


def account_of(app: Flask, number: int = 0) -> lookup.Account:
    with app.app_context():
        return lookup.list_all()[number]


def identity_paths(person: Person) -> list[str]:
    return re.findall(
        r'action="(/account/connections/\d+/disconnect)"', person.get(CONNECTIONS).text
    )


def age_proofs(app: Flask) -> None:
    execute(database(app), "UPDATE session SET proven_at = '2026-01-01'")


def living_sessions(app: Flask) -> list[int]:
    found = select(database(app), "SELECT id FROM session WHERE revoked_at IS NULL ORDER BY id")
    return [number for (number,) in found]


def test_a_second_subject_with_the_same_email_is_not_let_in(app: Flask, openid: OpenIDMock) -> None:
    openid.forge = hosted
    owner = Person(app)
    owner.sign_in("google", "sari")
    openid.person("sari2", name="Sari", email="sari@example.com", email_verified=True)
    second = Person(app)
    assert goes_to(second.sign_in("google", "sari2"), "/login/connect")
    page = second.get("/login/connect").text
    assert "Create my own account" not in page  # the holder has proven the e-mail
    refused = second.post("/login/connect/decline", token_of(second.get("/login/connect")))
    assert refused.status_code == 409
    assert not second.signed_in()
    assert owner.signed_in()
    assert account_of(app).email == "sari@example.com"


def test_an_equal_subject_of_a_new_issuer_opens_nothing(
    app: Flask,
    make_app: Callable[..., Flask],
    openid: OpenIDMock,
    company: OpenIDMock,
    facebook: GraphMock,
) -> None:
    Person(app).sign_in("oidc", "sari")
    openid.person("sari", name="Another Sari")  # the same subject, at what becomes the issuer
    moved = make_app(**settings(openid, company, facebook) | {"oidc_issuer": openid.url})
    assert goes_to(Person(moved).sign_in("oidc", "sari"), "/welcome?next=%2F")
    with app.app_context():
        assert [a.username for a in lookup.list_all()] == ["sari.wulandari", "another.sari"]


def test_an_identity_of_a_former_issuer_is_shown_and_no_login_method(
    app: Flask,
    make_app: Callable[..., Flask],
    openid: OpenIDMock,
    company: OpenIDMock,
    facebook: GraphMock,
) -> None:
    before = Person(app)
    before.sign_in("oidc", "sari")
    before.resume(allow(link(before, "google"), "unproven"))
    moved = make_app(
        **settings(openid, company, facebook) | {"oidc_issuer": "https://new.example.com"}
    )
    person = Person(moved)
    person.sign_in("google", "unproven")
    page = person.get(CONNECTIONS).text
    assert "You cannot log in with Kantor at present" in page
    assert "This is your only way to log in" in page
    assert buttons(person) == ["Disconnect", "Connect Facebook", "Connect Kantor"]
    rows = select(database(app), "SELECT id FROM identity WHERE provider = 'google'")
    refused = person.post(f"/account/connections/{rows[0][0]}/disconnect")
    assert refused.status_code == 409


@pytest.mark.parametrize(
    ("name", "who", "claims", "proven"),
    [
        ("google", "sari", {"email": "x@gmail.com"}, True),
        ("google", "sari", {"email": "x@example.com", "hd": "example.com"}, True),
        ("google", "sari", {"email": "x@example.com", "hd": "other.example.com"}, False),
        ("google", "sari", {"email": "x@example.com"}, False),
        ("google", "sari", {"email": "x@mail.gmail.com"}, False),
        ("google", "sari", {"email": "x@gmail.com", "email_verified": "true"}, False),
        ("google", "sari", {"email": "x@gmail.com", "email_verified": False}, False),
        ("oidc", "sari", {"email": "x@example.com"}, True),
        ("oidc", "sari", {"email": "x@EXAMPLE.com"}, True),
        ("oidc", "sari", {"email": "x@gmail.com", "hd": "gmail.com"}, False),
        ("oidc", "sari", {"email": "x@example.com.evil.org"}, False),
        ("facebook", "Budi", {}, False),
    ],
)
def test_an_email_is_proven_where_the_provider_is_authoritative(  # noqa: PLR0917
    app: Flask,
    openid: OpenIDMock,
    company: OpenIDMock,
    name: str,
    who: str,
    claims: dict[str, Any],
    proven: bool,
) -> None:
    openid.forge = company.forge = lambda told: told | claims
    assert goes_to(Person(app).sign_in(name, who), "/welcome?next=%2F")
    rows = select(database(app), "SELECT email_verified_at IS NOT NULL FROM user")
    assert rows == [(int(proven),)]


def test_no_domain_is_the_openid_providers_by_default(
    make_app: Callable[..., Flask], openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock
) -> None:
    app = make_app(**settings(openid, company, facebook))
    Person(app).sign_in("oidc", "sari")
    assert select(database(app), "SELECT email_verified_at FROM user") == [(None,)]


def test_what_the_provider_is_asked_about_time(somebody: Person, company: OpenIDMock) -> None:
    def asked(address: str) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(address).query))

    login = asked(somebody.leave("oidc"))
    assert int(login["max_age"]) > 86400  # so that `auth_time` comes, and nobody is asked
    assert "prompt" not in login
    somebody.sign_in("oidc", "sari")
    again = asked(confirmation(somebody, "oidc"))
    assert (again["prompt"], again["max_age"]) == ("login", "0")
    assert asked(confirmation(somebody, "google"))["prompt"] == "select_account"
    assert asked(confirmation(somebody, "facebook"))["auth_type"] == "reauthenticate"


def test_a_provider_session_of_five_hours_proves_nothing(app: Flask, company: OpenIDMock) -> None:
    person = Person(app)
    company.forge = hours_ago(5)
    person.sign_in("oidc", "sari")
    assert 'name="new_password"' not in person.get("/account/password").text
    refused = person.post("/account/password", new_password="correct horse")
    assert (refused.status_code, "Confirm first that it is you" in refused.text) == (403, True)
    # A provider that ignores prompt=login and max_age=0 answers from its session again.
    answer = person.resume(allow(confirmation(person, "oidc"), "sari"))
    assert answer.status_code == 403
    assert person.post("/account/password", new_password="correct horse").status_code == 403
    company.forge = hours_ago(0)
    assert goes_to(
        person.resume(allow(confirmation(person, "oidc"), "sari")), "/account/connections"
    )
    assert "confirmed that it is you" in person.get(CONNECTIONS).text
    assert goes_to(
        person.post("/account/password", new_password="correct horse"), "/account/password"
    )


def test_another_persons_identity_confirms_nothing(app: Flask, company: OpenIDMock) -> None:
    company.forge = hours_ago(5)
    person = Person(app)
    person.sign_in("oidc", "sari")
    company.forge = hours_ago(0)
    assert person.resume(allow(confirmation(person, "oidc"), "unproven")).status_code == 400
    address = allow(confirmation(person, "oidc"), "sari")
    other = Person(app)
    other.sign_in("oidc", "unproven")
    assert other.resume(address).status_code == 400
    assert person.post("/account/password", new_password="correct horse").status_code == 403


def test_connecting_without_a_proof_is_refused(
    app: Flask, dummy: dict[str, str], openid: OpenIDMock
) -> None:
    person = Person(app)
    person.post("/login", **dummy)
    address = link(person, "google")  # the password was given just now
    age_proofs(app)
    assert 'id="connect-google-current_password"' in person.get(CONNECTIONS).text
    assert person.post("/account/connections/connect/google").status_code == 403
    assert (
        person.post("/account/connections/connect/google", current_password="wrong").status_code
        == 403
    )
    assert openid.times("/token") == 0
    assert goes_to(person.resume(allow(address, "sari")), CONNECTIONS)
    (path,) = identity_paths(person)
    age_proofs(app)
    assert person.post(path).status_code == 403
    assert goes_to(person.post(path, current_password=dummy["password"]), CONNECTIONS)
    link(person, "google")  # the password counts for ten minutes
    age_proofs(app)
    link(person, "google", current_password=dummy["password"])


def test_a_connect_does_not_survive_a_password_change(app: Flask, dummy: dict[str, str]) -> None:
    person = Person(app)
    person.post("/login", **dummy)
    address = allow(link(person, "google"), "sari")
    change = {"current_password": dummy["password"], "new_password": "battery staple"}
    assert goes_to(person.post("/account/password", **change), "/account/password")
    refused = person.resume(address)
    assert (refused.status_code, heading(refused)) == (400, "This login attempt is over")
    assert select(database(app), "SELECT count(*) FROM identity") == [(0,)]


def test_a_connect_does_not_survive_the_end_of_its_session(
    app: Flask, dummy: dict[str, str]
) -> None:
    person, elsewhere = Person(app), Person(app)
    for browser in (person, elsewhere):
        browser.post("/login", **dummy)
    address = allow(link(person, "google"), "sari")
    (first, _) = living_sessions(app)
    assert goes_to(elsewhere.post(f"/account/devices/{first}/end"), "/account/devices")
    assert person.resume(address).status_code == 400
    assert select(database(app), "SELECT count(*) FROM identity") == [(0,)]


def test_connecting_says_who_can_log_in_to_what(app: Flask, dummy: dict[str, str]) -> None:
    person = Person(app)
    person.post("/login", **dummy)
    person.resume(allow(link(person, "google"), "sari"))
    told = html.unescape(person.get(CONNECTIONS).text)
    assert "Sari Wulandari (sari@example.com) can log in to dummyuser" in told


def test_a_disconnect_ends_what_the_identity_opened(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    person = Person(app)
    person.post("/login", **dummy)
    person.resume(allow(link(person, "google"), "sari"))
    person.resume(allow(link(person, "facebook"), "Ayu"))
    through_google, through_facebook = Person(app), Person(app)
    through_google.sign_in("google", "sari")
    through_facebook.sign_in("facebook", "Ayu")
    codes = [
        answer_of(Person(app).sign_in(name, who, front_end(ASK)))["code"]
        for name, who in [("google", "sari"), ("google", "sari"), ("facebook", "Ayu")]
    ]
    pair = exchange(client, codes[0]).get_json()
    google, _ = identity_paths(person)
    assert goes_to(person.post(google), CONNECTIONS)
    # At once, in this worker, without waiting for the revocation list.
    assert_problem(
        client.get("/api/auth/me/", headers=bearer(pair["access"])), 401, "token_not_valid"
    )
    refreshed = client.post("/api/auth/token/refresh/", json={"refresh": pair["refresh"]})
    assert refreshed.status_code == 401
    assert not through_google.signed_in()
    assert_problem(exchange(client, codes[1]), 400, "invalid_grant")
    assert through_facebook.signed_in()
    assert person.signed_in()
    assert exchange(client, codes[2]).status_code == 200


def change_password(app: Flask, _openid: OpenIDMock) -> None:
    with app.app_context():
        password_change.set_password(account_of(app).id, "battery staple")


def disable(app: Flask, _openid: OpenIDMock) -> None:
    with app.app_context():
        disabling.set_disabled(account_of(app).id, disabled=True)


def join(app: Flask, openid: OpenIDMock) -> None:
    assert goes_to(Person(app).sign_in("oidc", "sari"), "/")


@pytest.mark.parametrize("change", [change_password, disable, join])
def test_a_code_from_before_a_change_is_refused(
    app: Flask, client: FlaskClient, openid: OpenIDMock, change: Callable[..., None]
) -> None:
    openid.forge = hosted
    code = answer_of(Person(app).sign_in("google", "sari", front_end(ASK)))["code"]
    change(app, openid)
    assert_problem(exchange(client, code), 400, "invalid_grant")


# --- links from other sites, and logins one after the other --------------------------------------


def from_site(person: Person, path: str, site: str) -> TestResponse:
    return person.send("GET", path, headers=BROWSER | {"Sec-Fetch-Site": site})


def test_a_link_of_another_site_asks_first(
    app: Flask, dummy: dict[str, str], openid: OpenIDMock
) -> None:
    person = Person(app)
    person.post("/login", **dummy)
    before = living_sessions(app)
    page = from_site(person, "/login/google?next=/resource", "cross-site")
    assert (page.status_code, heading(page)) == (200, "Log in with Google?")
    assert "dummyuser" in page.text
    assert re.findall(r'href="(/login/google[^"]*)"', page.text) == [
        "/login/google?next=%2Fresource"
    ]
    assert (living_sessions(app), person.signed_in()) == (before, True)
    assert openid.seen == []
    for site in ("same-origin", "none"):
        assert from_site(person, "/login/google", site).status_code == 303
    # A front end's link does not change who is logged in here.
    assert from_site(person, f"/login/google{front_end(ASK)}", "cross-site").status_code == 303
    assert from_site(person, "/login/unknown", "cross-site").status_code == 404


def test_a_login_ends_the_one_before_only_once_it_exists(
    app: Flask, dummy: dict[str, str], openid: OpenIDMock
) -> None:
    person = Person(app)
    person.post("/login", **dummy)
    (first,) = living_sessions(app)
    address = allow(person.leave("google"), "sari")
    assert living_sessions(app) == [first]
    openid.faults = {"/token": "500"}
    assert person.resume(address).status_code == 502
    assert (living_sessions(app), person.signed_in()) == ([first], True)
    openid.good()
    assert goes_to(person.sign_in("google", "sari"), "/welcome?next=%2F")
    (second,) = living_sessions(app)
    assert second != first
    person.post("/login", **dummy)
    (third,) = living_sessions(app)
    assert third not in (first, second)


# --- the first visit -----------------------------------------------------------------------------


def test_an_old_cookie_renames_nothing(app: Flask) -> None:
    person = Person(app)
    person.sign_in("google", "sari")
    token = person.csrf_token()
    replayed = Person(app)
    replayed.keep(person.cookie() or "")
    assert goes_to(person.post("/welcome", username="sari"), "/")
    assert goes_to(replayed.post("/welcome", token, username="stolen"), "/account/profile")
    assert account_of(app).username == "sari"


def test_the_first_visit_is_over_after_an_hour(app: Flask) -> None:
    person = Person(app)
    person.sign_in("facebook", "Ayu")
    execute(database(app), "UPDATE user SET first_visit_until = '2026-01-01'")
    assert goes_to(person.get("/welcome"), "/account/profile")
    late = person.post("/welcome", username="late", email="late@example.com")
    assert goes_to(late, "/account/profile")
    assert account_of(app).username == "ayu.lestari"


def test_the_welcome_page_is_no_oracle(
    make_app: Callable[..., Flask],
    openid: OpenIDMock,
    company: OpenIDMock,
    facebook: GraphMock,
    sqlite_url: str,
) -> None:
    app = make_app(**settings(openid, company, facebook), ratelimit_enabled=True)
    with app.app_context():
        registration.register("taken", "taken@example.com", "correct horse")
    person = Person(app)
    person.sign_in("google", "sari")
    token = person.csrf_token()
    answers = [person.post("/welcome", token, username="taken").status_code for _ in range(61)]
    assert answers == [409] * 60 + [429]
    assert person.post("/welcome", token, username="free-name").status_code == 429


# --- whose account the page connects -------------------------------------------------------------


def test_the_connect_page_names_the_provider_account(
    app: Flask, dummy: dict[str, str], openid: OpenIDMock
) -> None:
    openid.person("dummy", name="<b>Dewi", email=DUMMY["email"], email_verified=True)
    person = Person(app)
    person.sign_in("google", "dummy")
    page = person.get("/login/connect").text
    assert "Google account of &lt;b&gt;Dewi" in page
    assert page.count(DUMMY["email"]) >= 2


def test_the_connect_page_connects_only_the_account_it_named(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    other = {"username": "other", "email": "other@example.com", "password": "battery staple"}
    assert client.post("/register", data=other).status_code == 201
    person = Person(app)
    person.sign_in("google", "dummy")
    token = token_of(person.get("/login/connect"))
    fields = {"username": "other", "password": other["password"]}
    refused = person.post("/login/connect", token, **fields)
    assert refused.status_code == 409
    assert f"Log in to the account that has the e-mail {DUMMY['email']}" in refused.text
    assert not person.signed_in()
    assert living_sessions(app) == []
    assert select(database(app), "SELECT count(*) FROM identity") == [(0,)]


def test_the_proven_owner_goes_on_with_an_own_account(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    holder = Person(app)
    holder.post("/login", **dummy)
    owner = Person(app)
    assert goes_to(owner.sign_in("oidc", "dummy", "?next=/resource"), "/login/connect")
    page = owner.get("/login/connect")
    assert "Create my own account" in page.text
    assert goes_to(owner.get("/login/connect/decline"), "/login/connect")  # D6
    assert goes_to(owner.post("/login/connect/decline", "made up"), "/login/connect")
    declined = owner.post("/login/connect/decline", token_of(page))
    assert goes_to(declined, "/welcome?next=%2Fresource")
    accounts = [account_of(app), account_of(app, 1)]
    assert [a.email for a in accounts] == [None, DUMMY["email"]]
    assert holder.signed_in()
    login = {"username": dummy["username"], "password": dummy["password"]}
    assert client.post("/login", data=login).status_code == 200
    assert client.post("/login", data=login | {"username": DUMMY["email"]}).status_code == 401
    # The page is used up.
    assert owner.post("/login/connect/decline").status_code == 400


@pytest.mark.parametrize(("name", "who"), [("google", "dummy"), ("facebook", "Dummy")])
def test_a_provider_that_is_not_authoritative_declines_nothing(
    app: Flask, dummy: dict[str, str], name: str, who: str
) -> None:
    person = Person(app)
    assert goes_to(person.sign_in(name, who), "/login/connect")
    page = person.get("/login/connect")
    assert "Create my own account" not in page.text
    assert person.post("/login/connect/decline", token_of(page)).status_code == 409
    assert account_of(app).email == DUMMY["email"]


def test_a_front_end_gets_its_code_after_a_decline(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    person = Person(app)
    assert goes_to(person.sign_in("oidc", "dummy", front_end(ASK)), "/login/connect")
    page = person.post("/login/connect/decline", token_of(person.get("/login/connect")))
    assert page.status_code == 200
    (address,) = set(re.findall(r'(?:href="|; url=)(https[^"]+)"', page.text))
    code = parse_qs(urlsplit(html.unescape(address)).query)["code"][0]
    pair = exchange(client, code).get_json()
    me = client.get("/api/auth/me/", headers=bearer(pair["access"])).get_json()
    assert me["email"] == DUMMY["email"]
    assert not person.signed_in()


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"GOOGLE_CLIENT_ID": "x"}, "GOOGLE_CLIENT_SECRET"),
        ({"GOOGLE_CLIENT_SECRET": "x"}, "GOOGLE_CLIENT_ID"),
        ({"FACEBOOK_CLIENT_ID": "x"}, "FACEBOOK_CLIENT_SECRET"),
        ({"OIDC_ISSUER": "https://id.example.com"}, "OIDC_NAME"),
        ({"OIDC_ISSUER": "http://id.example.com"}, "OIDC_"),
        ({"GOOGLE_DISCOVERY_URL": "https://accounts.google.com"}, "GOOGLE_DISCOVERY_URL"),
        ({"GOOGLE_DISCOVERY_URL": "http://x.example.com/"}, "GOOGLE_DISCOVERY_URL"),
        ({"FACEBOOK_GRAPH_URL": "http://graph.facebook.com"}, "FACEBOOK_GRAPH_URL"),
        ({"FACEBOOK_AUTHORIZE_URL": "javascript:alert(1)"}, "FACEBOOK_AUTHORIZE_URL"),
        ({"CLIENT_REDIRECT_URLS": "https://a.example.com, http://b.example.com"},
         "CLIENT_REDIRECT_URLS has http://b.example.com"),
        ({"CLIENT_REDIRECT_URLS": "https://a.example.com/#x"}, "CLIENT_REDIRECT_URLS"),
        ({"CLIENT_REDIRECT_URL": "https://a.example.com/"}, "CLIENT_REDIRECT_URL is not"),
        ({"GOOGLE_CLIENT_SECERT": "x"}, "GOOGLE_CLIENT_SECERT is not a setting"),
        ({"SOCIAL_DEMO": "perhaps"}, "SOCIAL_DEMO"),
        ({"SOCIAL_DEMO": "1", "PUBLIC_URL": "https://login.example.com"}, "SOCIAL_DEMO"),
        ({"SOCIAL_DEMO": "1", "HOST": "0.0.0.0"}, "SOCIAL_DEMO"),
    ],
)  # fmt: skip
def test_a_provider_that_is_set_up_wrongly_stops_the_start(
    environment: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_environment(environment)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_version_of_the_graph_api_stands_in_one_setting() -> None:
    config = Config.from_environment({"FACEBOOK_GRAPH_URL": "https://graph.facebook.com/v99.0"})
    assert config.facebook_authorize_url == "https://www.facebook.com/v99.0/dialog/oauth"
    assert Config().facebook_authorize_url.endswith("/dialog/oauth")


def test_no_secret_is_shown_with_the_settings(
    openid: OpenIDMock, company: OpenIDMock, facebook: GraphMock
) -> None:
    assert SECRET not in repr(Config(**settings(openid, company, facebook)))


# --- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
    openid: OpenIDMock,
    company: OpenIDMock,
    facebook: GraphMock,
) -> Iterator[Server]:
    """A service as `make run` starts it, with all providers set up."""
    folder = tmp_path_factory.mktemp("social")
    environment = {
        name.upper(): value for name, value in settings(openid, company, facebook).items()
    }
    environment["OIDC_VERIFIED_DOMAINS"] = "example.com"
    with run_server(folder, f"sqlite:///{folder / 'served.db'}", **environment) as server:
        yield server


@pytest.fixture
def page(chromium: Chromium, served: Server) -> Iterator[Page]:
    """A page of a new browser, in which nothing goes wrong unseen."""
    with new_page(chromium, served.url) as page:
        yield page


@contextmanager
def new_page(chromium: Chromium, url: str, **options: Any) -> Iterator[Page]:
    """A page of a new browser that reaches this machine alone and hides no complaint."""
    complaints: list[str] = []
    with closing(chromium.new_context(base_url=url, **options)) as context:
        context.route(
            re.compile(r"^https?://(?!localhost|127\.0\.0\.1)"), lambda route: route.abort()
        )
        page = context.new_page()
        page.set_default_timeout(10_000)

        def note(message: ConsoleMessage) -> None:
            # The mock's own pages have a stylesheet from elsewhere.
            if message.type == "error" and "ERR_FAILED" not in message.text:
                complaints.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def as_(page: Page, who: str) -> None:
    """Say yes at the provider as this person."""
    page.locator("input[name=sub], button[name=who]").first.wait_for()
    if page.locator("button[name=who]").count():
        page.get_by_role("button", name=who).click()
    else:
        page.locator("input[name=sub]").fill(who)
        page.get_by_role("button", name="Authorize").click()


def register(server: Server, name: str) -> dict[str, str]:
    fields = {"username": name, "email": f"{name}@example.com", "password": "correct horse"}
    assert once(server.url, "POST", "/register", **fields).status == 201
    return fields


def log_in(page: Page, fields: dict[str, str]) -> None:
    page.goto("/login")
    page.get_by_label("Username or e-mail").fill(fields["username"])
    page.get_by_label("Password", exact=True).fill(fields["password"])
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("**/")


def test_browser_first_and_second_visit(
    page: Page, chromium: Chromium, served: Server, openid: OpenIDMock
) -> None:
    openid.person("wati", name="Wati", email="wati@example.com", email_verified=True)
    page.goto("/login")
    page.get_by_role("link", name="Continue with Google").click()
    as_(page, "wati")
    page.wait_for_url("**/welcome**")
    assert page.get_by_label("Username").input_value() == "wati"
    page.get_by_label("Username").fill("wati.w")
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_url(f"{served.url}/")
    page.get_by_role("button", name="Log out").click()
    with new_page(chromium, served.url) as another:
        another.goto("/login?next=/resource")
        another.get_by_role("link", name="Continue with Google").click()
        as_(another, "wati")
        another.wait_for_url("**/resource")
        assert another.get_by_role("heading", level=1).inner_text() == "akses sukses"
        another.goto("/account/profile")
        assert "wati.w" in another.locator(".facts").inner_text()


def test_browser_join_where_both_are_proven(
    page: Page, openid: OpenIDMock, company: OpenIDMock
) -> None:
    for mock in (openid, company):
        mock.person("joko", name="Joko", email="joko@example.com", email_verified=True)
    openid.forge = hosted
    for provider in ("Google", "Kantor"):
        page.goto("/login")
        page.get_by_role("link", name=f"Continue with {provider}").click()
        as_(page, "joko")
        page.wait_for_url(re.compile("/(welcome.*)?$"))
        page.get_by_role("button", name="Log out").click()
    page.goto("/login")
    page.get_by_role("link", name="Continue with Kantor").click()
    as_(page, "joko")
    page.wait_for_url("**/")
    page.goto(CONNECTIONS)
    assert page.locator(".connections h2").all_inner_texts() == [
        "Google", "Kantor",
    ]  # fmt: skip


def test_browser_refusal_to_join_and_the_way_round(
    page: Page, served: Server, openid: OpenIDMock
) -> None:
    fields = register(served, "rini")
    openid.person("rini", name="Rini", email="rini@example.com", email_verified=True)
    page.goto("/login")
    page.get_by_role("link", name="Continue with Google").click()
    as_(page, "rini")
    page.wait_for_url("**/login/connect")
    assert "rini@example.com" in page.locator("main").inner_text()
    page.get_by_label("Username or e-mail").fill("rini")
    page.get_by_label("Password", exact=True).fill("wrong password")
    page.get_by_role("button", name="Log in and connect Google").click()
    page.get_by_text("That username and password do not match").wait_for()
    page.get_by_label("Password", exact=True).fill(fields["password"])
    page.get_by_role("button", name="Log in and connect Google").click()
    page.wait_for_url(f"{served.url}/")
    page.get_by_text("Google is connected").wait_for()


def test_browser_an_identity_joins_the_account_of_its_email_alone(
    page: Page, served: Server, openid: OpenIDMock
) -> None:
    """D15: the page names the account, takes no other, and says which one it was."""
    fields, other = register(served, "yuni"), register(served, "other")
    openid.person("yuni", name="Yuni", email="yuni@example.com", email_verified=True)
    page.goto("/login")
    page.get_by_role("link", name="Continue with Google").click()
    as_(page, "yuni")
    page.wait_for_url("**/login/connect")
    username = page.get_by_label("Username or e-mail")
    expect(username).to_have_value("yuni@example.com")
    username.fill("other")
    page.get_by_label("Password", exact=True).fill(other["password"])
    page.get_by_role("button", name="Log in and connect Google").click()
    expect(username).to_have_accessible_description(
        re.compile("Log in to the account that has the e-mail yuni@example.com")
    )
    username.fill("yuni@example.com")
    page.get_by_label("Password", exact=True).fill(fields["password"])
    page.get_by_role("button", name="Log in and connect Google").click()
    page.get_by_text("You are logged in as yuni. Google is connected").wait_for()
    page.get_by_role("button", name="Log out").click()
    log_in(page, other)
    page.goto(CONNECTIONS)
    expect(page.get_by_role("button", name="Connect Google")).to_be_visible()


def test_browser_link_and_unlink(page: Page, served: Server, facebook: GraphMock) -> None:
    facebook.people["Tono"] = {"id": "20001", "name": "Tono"}
    log_in(page, register(served, "tono"))
    page.goto(CONNECTIONS)
    page.get_by_role("button", name="Connect Facebook").click()
    as_(page, "Tono")
    page.wait_for_url(re.compile("/account/connections(#_=_)?$"))
    page.get_by_text("Facebook is connected").wait_for()
    page.get_by_role("button", name="Disconnect Facebook").click()
    page.get_by_text("is disconnected").wait_for()
    assert page.get_by_role("button", name="Connect Facebook").is_visible()


def test_browser_no_email(page: Page, served: Server) -> None:
    page.goto("/login")
    page.get_by_role("link", name="Continue with Facebook").click()
    as_(page, "Ayu")
    page.wait_for_url("**/welcome**")
    page.wait_for_function("location.hash === ''")
    page.get_by_label("E-mail").fill("ayu@example.com")
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_url(f"{served.url}/")
    page.goto("/account/profile")
    assert "ayu@example.com" in page.locator(".facts").inner_text()
    page.goto(CONNECTIONS)
    assert page.get_by_text("This is your only way to log in").is_visible()
    assert page.get_by_role("button", name="Disconnect").count() == 0


def test_browser_consent_denied(page: Page) -> None:
    page.goto("/login")
    page.get_by_role("link", name="Continue with Facebook").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="Not logged in with Facebook").wait_for()
    page.get_by_role("link", name="Log in another way").click()
    page.wait_for_url("**/login")


def test_browser_demo(
    chromium: Chromium, serve: Callable[..., AbstractContextManager[Server]], sqlite_url: str
) -> None:
    with (
        serve(sqlite_url, SOCIAL_DEMO="1", WORKERS="1") as server,
        new_page(chromium, server.url) as page,
    ):
        page.goto("/login")
        assert page.get_by_text("This is a demo.").is_visible()
        page.get_by_role("link", name="Continue with Demo provider").click()
        assert page.get_by_text("This is a demo.").is_visible()
        provider = urlsplit(page.url)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("heading", name="Not logged in with Demo provider").wait_for()
        page.get_by_role("link", name="Try Demo provider again").click()
        page.get_by_role("button", name="Sari Wulandari").click()
        page.wait_for_url("**/welcome**")
        page.get_by_role("button", name="Save and go on").click()
        page.wait_for_url(f"{server.url}/")
    # With the server its provider is gone.
    wait_until(
        lambda: not listens(str(provider.hostname), provider.port or 80), "the provider to end"
    )


def listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0
