"""The description of the API says what the service does, and the service does what it says."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import chain
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.accounts.forms import (
    ForgotForm,
    LoginForm,
    PasswordForm,
    ProfileForm,
    ProofForm,
    RegistrationForm,
    ResetForm,
    UndoForm,
)
from app.extensions import babel
from app.models import utcnow
from app.passwords.policy import MAX_BYTES, MIN_CHARACTERS
from app.proof.forms import ConfirmationForm
from app.sessions import refresh_tokens, tokens
from app.sessions.forms import LogoutForm
from app.social.forms import SocialCodeForm
from app.system import api_description
from app.system.reference import markup
from app.web import forms
from tests.support.application import BROWSER, DUMMY, SharedApps, assert_problem, bearer
from tests.support.browsing import Browser
from tests.support.described import DOCUMENT, path_of, resolve
from tests.support.environment import ROOT

SCHEMAS = DOCUMENT["components"]["schemas"]
# What is for people alone: pages, and forms that a program is refused (405).
PAGES = {
    "static", "home.home", "docs.docs", "register.form", "login.form", "resource.paste",
    "icons.picture", "icons.favicon", "icons.apple_touch_icon", "icons.manifest", "icons.robots",
    "forgotten.forgot", "forgotten.request_reset", "forgotten.reset_form", "forgotten.reset",
    "verification.form", "verification.verify", "verification.send", "verification.back",
    "undo.ask", "undo.undo", "outbox.mails", "front_end.ask", "password.well_known",
    "strength.judge",
    "login.logout", "login.page_of_logout",
}  # fmt: skip
FORMS = {
    "Registration": RegistrationForm,
    "Credentials": LoginForm,
    "SocialCode": SocialCodeForm,
    "Logout": LogoutForm,
    "ProfileChange": ProfileForm,
    "PasswordChange": PasswordForm,
    "Confirmation": ConfirmationForm,
    "EmailAddress": ForgotForm,
    "EmailProof": ProofForm,
    "PasswordReset": ResetForm,
    "UndoToken": UndoForm,
}


# The one field of a body that has no form.
SINGLE_FIELDS = {"Refresh": "refresh", "Verify": "token"}
MEDIA = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    whole = schema | {"components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def every(part: Any) -> Iterator[dict[str, Any]]:
    """Every object in a part of the document, the part itself included."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from every(inner)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


# --- the document ------------------------------------------------------------------------------


def test_the_document_is_valid_openapi() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_every_component_exists_and_is_used() -> None:
    used = {part["$ref"] for part in every(DOCUMENT) if "$ref" in part}
    there = {
        f"#/components/{kind}/{name}"
        for kind, parts in DOCUMENT["components"].items()
        if kind != "securitySchemes"
        for name in parts
    }
    assert used == there


def test_every_example_obeys_its_schema() -> None:
    for schema in every(SCHEMAS):
        if isinstance(schema.get("examples"), list):
            for value in schema["examples"]:
                validator(schema).validate(value)
    for response in every([DOCUMENT["paths"], DOCUMENT["components"]["responses"]]):
        for media in response.get("content", {}).values():
            for shown in media.get("examples", {}).values():
                validator(media["schema"]).validate(resolve(shown)["value"])


def test_every_operation_has_its_own_id_and_a_known_tag() -> None:
    ids = [operation["operationId"] for *_, operation in operations()]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for *_, operation in operations() for tag in operation["tags"]} == tags


def test_its_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert DOCUMENT["info"]["version"] == project["version"]


# --- the parts -----------------------------------------------------------------------------------


def test_what_two_parts_describe_is_refused() -> None:
    part: dict[str, Any] = {"paths": {"/a": {}}, "components": {"schemas": {"A": {}}}}
    other = {"paths": {"/b": {}}, "components": {"schemas": {"B": {}}, "headers": {"H": {}}}}
    whole = api_description.merge({"openapi": "3.1.0"} | part, other)
    assert list(whole["paths"]) == ["/b", "/a"]
    assert whole["components"] == {"schemas": {"A": {}, "B": {}}, "headers": {"H": {}}}
    again: dict[str, Any]
    for again in (
        {"paths": {"/a": {}}, "components": {}},
        {"paths": {}, "components": part["components"]},
    ):
        with pytest.raises(ValueError, match="described twice: "):
            api_description.merge(part, again)


def test_each_part_has_what_its_feature_serves_and_alone_uses(app: Flask) -> None:
    served = {
        path_of(rule.rule): app.view_functions[rule.endpoint] for rule in app.url_map.iter_rules()
    }
    parts = {
        path.parent.name: json.loads(path.read_text("utf-8"))
        for path in (ROOT / "app").glob("*/openapi.json")
    }
    for feature, part in parts.items():
        for path in part["paths"]:
            assert served[path.rstrip("/")].__module__.split(".")[1] == feature, path
    for feature in parts.keys() - {"system"}:
        others = {
            inner["$ref"]
            for name, part in parts.items()
            if name != feature
            for inner in every(part)
            if "$ref" in inner
        }
        for kind, named in parts[feature]["components"].items():
            assert others & {f"#/components/{kind}/{name}" for name in named} == set()


# --- the document and the code -------------------------------------------------------------------


def test_every_address_of_a_program_is_described_and_no_other(app: Flask) -> None:
    served = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        people_only = rule.endpoint in PAGES or getattr(view, "access", None) == "person"
        sign_in = rule.endpoint.startswith("social.") and not rule.rule.startswith("/api/")
        if not people_only and not sign_in:
            path = path_of(rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                served[method, path] = getattr(view, "access", None) == "bearer"
    described = {
        (method, path.rstrip("/")): "security" in described
        for method, path, described in operations()
    }
    assert described == served | {("GET", "/resource"): True}


def test_the_page_for_readers_names_every_address() -> None:
    page = (ROOT / "docs" / "api" / "README.md").read_text("utf-8")
    for path in DOCUMENT["paths"]:
        assert path.replace("{session_id}", "<id>") in page


@pytest.mark.parametrize("name", FORMS)
def test_every_body_has_the_fields_of_its_form(name: str) -> None:
    schema = SCHEMAS[name]
    app = Flask(__name__)
    babel.init_app(app)
    with app.test_request_context():
        form = FORMS[name](formdata=None)
    fields = set(form._fields)
    assert set(schema["properties"]) == fields
    assert set(schema.get("required", [])) == fields - form.optional
    alternatives = [part["required"] for part in schema.get("anyOf", [])]
    assert set(chain.from_iterable(alternatives)) == form.optional
    assert list(DOCUMENT["components"]["requestBodies"][name]["content"]) == MEDIA


@pytest.mark.parametrize(("name", "field"), SINGLE_FIELDS.items())
def test_every_body_without_a_form_has_its_field(name: str, field: str) -> None:
    schema = SCHEMAS[name]
    assert set(schema["properties"]) == {field}
    assert schema["required"] == [field]
    assert list(DOCUMENT["components"]["requestBodies"][name]["content"]) == MEDIA


def accepts(field: str, value: str) -> bool:
    app = Flask(__name__)
    babel.init_app(app)
    with app.test_request_context():
        form = forms.validate_fields(RegistrationForm, DUMMY | {field: value})
    return not form[field].errors


@settings(deadline=None, derandomize=True)
@given(name=st.text("aZ9._-é \n", max_size=6))
@example("a" * 80)
@example("a" * 81)
def test_the_rule_for_usernames_is_that_of_the_form(name: str) -> None:
    assert validator(SCHEMAS["Username"]).is_valid(name.strip()) == accepts("username", name)


@pytest.mark.parametrize(
    "email",
    ["dummy@dummy.com", "newuseroke", "", "a@b", "@dummy.com", "a b@dummy.com", "a@dummy..com",
     "a" * 60 + "@" + "b" * 55 + ".com", "a" * 60 + "@" + "b" * 56 + ".com"],
)  # fmt: skip
def test_the_rule_for_emails_is_that_of_the_form(email: str) -> None:
    described = validator(SCHEMAS["Email"]).is_valid(email)
    assert described == accepts("email", email) or email == "a@b"  # the form asks for a dot


def test_the_limits_for_new_passwords_are_those_of_the_form() -> None:
    rule = SCHEMAS["NewPassword"]
    limits = (rule["minLength"], rule["maxLength"])
    assert limits == (MIN_CHARACTERS, MAX_BYTES)


# --- the examples and the answers ----------------------------------------------------------------


def assert_example(answer: TestResponse, method: str, path: str, status: int, name: str) -> None:
    """An answer is the document's example for it, but for numbers and tokens, which differ."""
    assert answer.status_code == status, answer.text
    response = resolve(DOCUMENT["paths"][path][method]["responses"][str(status)])
    shown = resolve(response["content"][answer.mimetype]["examples"][name])["value"]
    assert _alike(answer.get_json()) == _alike(shown)
    for header, described in response.get("headers", {}).items():
        validator(resolve(described)["schema"]).validate(answer.headers[header])


def _alike(value: Any) -> Any:
    text = re.sub(r'"eyJ[\w.-]+"', '"a token"', json.dumps(value))
    return json.loads(re.sub(r'"id": \d+', '"id": 1', text))


@dataclass
class Service:
    """A fresh service with the assignment's account and another one."""

    app: Flask
    client: FlaskClient

    @cached_property
    def pair(self) -> dict[str, str]:
        """The tokens of a login."""
        answer = self.client.post("/api/auth/login/", data=DUMMY).get_json()
        return {"access": answer["access"], "refresh": answer["refresh"]}

    @cached_property
    def ended(self) -> dict[str, str]:
        """The tokens of a login that is over."""
        out = self.client.post("/api/auth/logout/", data={"refresh": self.pair["refresh"]})
        assert out.status_code == 200
        return self.pair

    @cached_property
    def expired(self) -> dict[str, str]:
        """Tokens of yesterday."""
        with self.app.app_context():
            ago = utcnow() - timedelta(days=1)
            facts = refresh_tokens.RefreshToken(1, 1, 0, ago, ago, ago)
            refresh = refresh_tokens.sign_refresh(facts)
            return {"access": tokens.sign_access(1, 1, ago), "refresh": refresh}

    def register(self, **changes: str) -> TestResponse:
        new = {"username": "newcomer", "email": "newcomer@dummy.com"}
        return self.client.post("/register", data=DUMMY | new | changes)

    def log_in(self, **changes: str) -> TestResponse:
        return self.client.post("/login", data=DUMMY | changes)

    def open(self, path: str, token: str | None) -> TestResponse:
        return self.client.get(path, headers=bearer(token) if token else {})

    def refresh(self, token: str) -> TestResponse:
        return self.client.post("/api/auth/token/refresh/", data={"refresh": token})

    def api_login(self, data: object, content_type: str | None = None) -> TestResponse:
        return self.client.post("/api/auth/login/", data=data, content_type=content_type)

    def change(self, method: str, path: str, **fields: str) -> TestResponse:
        headers = bearer(self.pair["access"])
        return self.client.open(path, method=method, data=fields, headers=headers)


@pytest.fixture
def service(app: Flask, client: FlaskClient) -> Service:
    accounts = (DUMMY, DUMMY | {"username": "other", "email": "other@dummy.com"})
    for account in accounts:
        assert client.post("/register", data=account).status_code == 201
    return Service(app, client)


# By method, address, status and the example's name: what gets it for an answer.
ME, LOGIN, REFRESH = "/api/auth/me/", "/api/auth/login/", "/api/auth/token/refresh/"
SITUATIONS: dict[tuple[str, str, int, str], Callable[[Service], TestResponse]] = {
    ("post", "/register", 409, "usernameTaken"): lambda s: s.register(username="dummyuser"),
    ("post", "/register", 409, "emailTaken"): lambda s: s.register(email="dummy@dummy.com"),
    ("post", "/register", 400, "invalidEmail"): lambda s: s.register(email="newuseroke"),
    ("post", "/login", 200, "loggedIn"): lambda s: s.log_in(),
    ("post", "/login", 401, "invalidCredentials"): lambda s: s.log_in(password="dummy12345"),
    ("get", "/resource", 200, "opened"): lambda s: s.open("/resource", s.pair["access"]),
    ("get", "/resource", 401, "tokenMissing"): lambda s: s.open("/resource", None),
    ("get", "/resource", 401, "tokenInvalid"): lambda s: s.open("/resource", "not.a.token"),
    ("get", "/resource", 401, "tokenExpired"): lambda s: s.open("/resource", s.expired["access"]),
    ("get", "/resource", 401, "tokenRevoked"): lambda s: s.open("/resource", s.ended["access"]),
    ("get", ME, 401, "missing"): lambda s: s.open(ME, None),
    ("get", ME, 401, "invalid"): lambda s: s.open(ME, "not.a.token"),
    ("post", REFRESH, 401, "invalid"): lambda s: s.refresh("not.a.token"),
    ("post", REFRESH, 401, "expired"): lambda s: s.refresh(s.expired["refresh"]),
    ("post", REFRESH, 401, "wrongType"): lambda s: s.refresh(s.pair["access"]),
    ("post", REFRESH, 401, "blacklisted"): lambda s: s.refresh(s.ended["refresh"]),
    ("post", LOGIN, 400, "invalidFields"): lambda s: s.api_login({"username": "dummyuser"}),
    ("post", LOGIN, 400, "brokenBody"): lambda s: s.api_login("{", "application/json"),
    ("post", LOGIN, 401, "noAccount"): lambda s: s.api_login(DUMMY | {"password": "dummy12345"}),
    ("post", LOGIN, 415, "text"): lambda s: s.api_login("hello", "text/plain"),
    ("post", LOGIN, 413, "tooLarge"): lambda s: s.api_login("x" * 65_537, "application/json"),
    ("post", "/api/auth/social/token/", 400, "invalidGrant"): lambda s: s.client.post(
        "/api/auth/social/token/", data={"code": "made-up", "code_verifier": "as well"}
    ),
    ("delete", ME, 403, "wrongPassword"): lambda s: s.change(
        "DELETE", ME, current_password="dummy12345"
    ),
    ("patch", ME, 409, "usernameTaken"): lambda s: s.change(
        "PATCH", ME, username="OTHER", current_password=DUMMY["password"]
    ),
    ("delete", "/api/auth/sessions/{session_id}/", 404, "notFound"): lambda s: s.change(
        "DELETE", "/api/auth/sessions/2147483647/"
    ),
}


@pytest.mark.parametrize(
    ("example", "ask"), SITUATIONS.items(), ids=[" ".join(map(str, key)) for key in SITUATIONS]
)
def test_an_example_is_the_answer(
    service: Service,
    example: tuple[str, str, int, str],
    ask: Callable[[Service], TestResponse],
) -> None:
    assert_example(ask(service), *example)


def test_the_example_of_a_registration_is_the_answer(client: FlaskClient) -> None:
    assert_example(client.post("/register", data=DUMMY), "post", "/register", 201, "registered")


def test_a_field_called_code_gives_way_to_the_member_of_that_name(
    shared_client: FlaskClient,
) -> None:
    empty = shared_client.post("/api/auth/social/token/")
    assert_problem(empty, 400, "validation_error", "code", "code_verifier")


# --- where it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [{}, BROWSER, {"Accept": "*/*"}])
def test_the_document_names_this_service(shared_apps: SharedApps, accept: dict[str, str]) -> None:
    client = shared_apps.get(public_url="https://login.example.com").test_client()
    answer = client.get("/openapi.json", headers=accept)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    document = answer.get_json()
    assert [server["url"] for server in document["servers"]] == ["https://login.example.com"]
    assert list(document) == list(DOCUMENT)
    assert document | {"servers": []} == DOCUMENT | {"servers": []}


def test_the_page_shows_every_operation_without_scripts(shared_client: FlaskClient) -> None:
    """D11: what was an empty box without JavaScript is a page to read."""
    page = shared_client.get("/docs", headers=BROWSER).text
    for method, path, operation in operations():
        begin = page.index(f'<h3 id="{operation["operationId"]}">{operation["summary"]}</h3>')
        article = page[begin : page.index("</article>", begin)]
        assert f">{method}</strong> <code>{path}</code>" in article
        assert ("needs an access token" in article) == ("security" in operation)
        assert all(status in article for status in operation["responses"])
        body = resolve(operation.get("requestBody", {}))
        schema = resolve(body["content"]["application/json"]["schema"]) if body else {}
        for name in schema.get("properties", {}):
            assert f"<li><code>{name}</code>" in article
    assert len(page) < 50_000


def test_every_link_of_the_page_to_itself_leads_to_a_part_of_it(shared_client: FlaskClient) -> None:
    page = shared_client.get("/docs", headers=BROWSER).text
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_the_page_holds_the_token_of_a_logged_in_person_alone(
    app: Flask, dummy: dict[str, str]
) -> None:
    browser = Browser(app)
    assert "data-token" not in browser.get("/docs").text
    browser.post("/login", **dummy)
    page = browser.get("/docs")
    (token,) = re.findall(r'data-token="([^"]+)"', page.text)
    assert app.test_client().get("/resource", headers=bearer(token)).status_code == 200
    assert page.headers["Cache-Control"] == "no-store"


def test_descriptions_are_text_and_two_forms_of_markdown() -> None:
    assert markup.inline('a `b<c>` **d** "e"') == (
        'a <code>b&lt;c&gt;</code> <strong>d</strong> "e"'
    )


@pytest.mark.parametrize("accept", [{}, BROWSER, {"Accept": "*/*"}])
def test_the_page_is_for_everybody_and_all_its_parts_are_here(
    client: FlaskClient, accept: dict[str, str]
) -> None:
    answer = client.get("/docs", headers=accept)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    parts = re.findall(r'(?:src|href|data-url)="([^"#?][^"#]*)"', answer.text)
    assert "/openapi.json" in parts
    assert "/static/swagger-ui/swagger-ui-bundle.js" in [part.partition("?")[0] for part in parts]
    for part in parts:
        assert part.startswith("/")
        with client.get(part, headers=BROWSER) as found:
            assert found.status_code == 200, part
