"""The description of the API says what the service does, and the service does what it says."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app import errors, forms
from app.accounts import passwords, tokens
from app.models import utcnow
from tests.conftest import BROWSER, DUMMY, ROOT, assert_problem, bearer

DOCUMENT = json.loads((ROOT / "app" / "openapi.json").read_text("utf-8"))
SCHEMAS = DOCUMENT["components"]["schemas"]
# What is for people alone: pages, and forms that a program is refused (405).
PAGES = {"static", "home.home", "docs.docs", "register.form", "login.form", "resource.paste"}
FORMS = {
    "Registration": forms.RegistrationForm,
    "Credentials": forms.LoginForm,
    "SocialCode": forms.SocialCodeForm,
    "Refresh": forms.RefreshForm,
    "Verify": forms.VerifyForm,
    "Logout": forms.LogoutForm,
    "ProfileChange": forms.ProfileForm,
    "PasswordChange": forms.PasswordForm,
    "Confirmation": forms.ConfirmationForm,
}


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    whole = schema | {"components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        target = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


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


# --- the document and the code -------------------------------------------------------------------


def test_every_address_of_a_program_is_described_and_no_other(app: Flask) -> None:
    served = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        people_only = rule.endpoint in PAGES or getattr(view, "access", None) == "person"
        sign_in = rule.endpoint.startswith("social.") and not rule.rule.startswith("/api/")
        if not people_only and not sign_in:
            path = re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule)
            for method in rule.methods - {"HEAD", "OPTIONS"}:
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
    with Flask(__name__).test_request_context():
        form = FORMS[name](formdata=None)
    fields = set(form._fields)
    assert set(schema["properties"]) == fields
    assert set(schema.get("required", [])) == fields - form.optional
    assert {part["required"][0] for part in schema.get("anyOf", [])} == form.optional
    media = DOCUMENT["components"]["requestBodies"][name]["content"]
    assert list(media) == [
        "application/json", "application/x-www-form-urlencoded", "multipart/form-data",
    ]  # fmt: skip


def accepts(field: str, value: str) -> bool:
    with Flask(__name__).test_request_context():
        form = forms.fill(forms.RegistrationForm, DUMMY | {field: value})
    return not form[field].errors


@settings(deadline=None, derandomize=True)
@given(name=st.text("aZ9._-é \n", max_size=6))
@example("a" * 80)
@example("a" * 81)
def test_the_rule_for_usernames_is_that_of_the_form(name: str) -> None:
    assert validator(SCHEMAS["Username"]).is_valid(name) == accepts("username", name)


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
    assert limits == (passwords.MIN_CHARACTERS, passwords.MAX_BYTES)


def test_every_code_is_one_that_the_service_gives() -> None:
    known = {*errors._STATUS, *errors._CODES.values(), "token_not_valid"}
    assert set(SCHEMAS["Problem"]["properties"]["code"]["enum"]) <= known


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


def test_the_examples_are_the_answers_in_the_assignments_situations(client: FlaskClient) -> None:
    def register(**changes: str) -> TestResponse:
        return client.post("/register", data=DUMMY | changes)

    registration = ("post", "/register")
    assert_example(register(), *registration, 201, "registered")
    assert_example(register(email="other@dummy.com"), *registration, 409, "usernameTaken")
    assert_example(register(username="other"), *registration, 409, "emailTaken")
    assert_example(register(email="newuseroke"), *registration, 400, "invalidEmail")
    logged_in = client.post("/login", data=DUMMY)
    assert_example(logged_in, "post", "/login", 200, "loggedIn")
    wrong = client.post("/login", data=DUMMY | {"password": "dummy12345"})
    assert_example(wrong, "post", "/login", 401, "invalidCredentials")
    opened = client.get("/resource", headers=bearer(logged_in.get_json()["access_token"]))
    assert_example(opened, "get", "/resource", 200, "opened")


def test_the_examples_of_refused_tokens_are_the_answers(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    pair = client.post("/api/auth/login/", data=dummy).get_json()
    assert client.post("/api/auth/logout/", data={"refresh": pair["refresh"]}).status_code == 200
    with app.app_context():
        long_ago = utcnow() - timedelta(days=1)
        expired = tokens.sign_access(1, 1, long_ago)
        expired_refresh = tokens.sign_refresh(
            tokens.RefreshToken(1, 1, 0, long_ago, long_ago, long_ago)
        )

    def ask(path: str, token: str | None) -> TestResponse:
        return client.get(path, headers=bearer(token) if token else {})

    for name, token in [("tokenMissing", None), ("tokenInvalid", "not.a.token"),
                        ("tokenExpired", expired), ("tokenRevoked", pair["access"])]:  # fmt: skip
        assert_example(ask("/resource", token), "get", "/resource", 401, name)
    for name, token in [("missing", None), ("invalid", "not.a.token")]:
        assert_example(ask("/api/auth/me/", token), "get", "/api/auth/me/", 401, name)
    fresh = client.post("/api/auth/login/", data=dummy).get_json()["access"]
    for name, token in [("invalid", "not.a.token"), ("expired", expired_refresh),
                        ("wrongType", fresh), ("blacklisted", pair["refresh"])]:  # fmt: skip
        answer = client.post("/api/auth/token/refresh/", data={"refresh": token})
        assert_example(answer, "post", "/api/auth/token/refresh/", 401, name)


def test_the_examples_of_other_refusals_are_the_answers(
    client: FlaskClient, dummy: dict[str, str]
) -> None:
    login = "/api/auth/login/"
    own = bearer(client.post(login, data=dummy).get_json()["access"])
    client.post("/register", data={**DUMMY, "username": "other", "email": "other@dummy.com"})

    bare = client.post(login, data={"username": "dummyuser"})
    assert_example(bare, "post", login, 400, "invalidFields")
    broken = client.post(login, data="{", content_type="application/json")
    assert_example(broken, "post", login, 400, "brokenBody")
    wrong = client.post(login, data=dummy | {"password": "dummy12345"})
    assert_example(wrong, "post", login, 401, "noAccount")
    code = {"code": "made-up", "code_verifier": "as well"}
    redeemed = client.post("/api/auth/social/token/", data=code)
    assert_example(redeemed, "post", "/api/auth/social/token/", 400, "invalidGrant")
    # The field `code` gives way to the member of that name.
    empty = client.post("/api/auth/social/token/")
    assert_problem(empty, 400, "validation_error", "code", "code_verifier")
    text = client.post(login, data="hello", content_type="text/plain")
    assert_example(text, "post", login, 415, "text")
    large = client.post(login, data="x" * 65_537, content_type="application/json")
    assert_example(large, "post", login, 413, "tooLarge")
    me = "/api/auth/me/"
    mistyped = client.delete(me, data={"current_password": "dummy12345"}, headers=own)
    assert_example(mistyped, "delete", me, 403, "wrongPassword")
    change = {"username": "OTHER", "current_password": dummy["password"]}
    taken = client.patch(me, data=change, headers=own)
    assert_example(taken, "patch", me, 409, "usernameTaken")
    nowhere = client.delete("/api/auth/sessions/2147483647/", headers=own)
    assert_example(nowhere, "delete", "/api/auth/sessions/{session_id}/", 404, "notFound")


# --- where it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [{}, BROWSER, {"Accept": "*/*"}])
def test_the_document_names_this_service(make_app, accept: dict[str, str]) -> None:
    client = make_app(public_url="https://login.example.com").test_client()
    answer = client.get("/openapi.json", headers=accept)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    document = answer.get_json()
    assert [server["url"] for server in document["servers"]] == ["https://login.example.com"]
    assert list(document) == list(DOCUMENT)
    assert document | {"servers": []} == DOCUMENT | {"servers": []}


@pytest.mark.parametrize("accept", [{}, BROWSER, {"Accept": "*/*"}])
def test_the_page_is_for_everybody_and_all_its_parts_are_here(
    client: FlaskClient, accept: dict[str, str]
) -> None:
    answer = client.get("/docs", headers=accept)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    parts = re.findall(r'(?:src|href|data-url)="([^"#]+)"', answer.text)
    assert "/openapi.json" in parts
    assert "/static/swagger-ui/swagger-ui-bundle.js" in [part.partition("?")[0] for part in parts]
    for part in parts:
        assert part.startswith("/")
        with client.get(part, headers=BROWSER) as found:
            assert found.status_code == 200, part
