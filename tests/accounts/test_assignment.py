"""The five situations of the assignment, through HTTP, as Postman sends them."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.application import DUMMY, bearer

SLASHES = pytest.mark.parametrize("slash", ["", "/"])


def send(client: FlaskClient, kind: str, path: str, fields: dict[str, str]) -> TestResponse:
    if kind == "json":
        return client.post(path, json=fields)
    content_type = {
        "urlencoded": "application/x-www-form-urlencoded",
        "multipart": "multipart/form-data",
    }
    return client.post(path, data=fields, content_type=content_type[kind])


@SLASHES
@pytest.mark.parametrize("kind", ["urlencoded", "multipart", "json"])
def test_register_log_in_open_the_resource(client: FlaskClient, kind: str, slash: str) -> None:
    registered = send(client, kind, f"/register{slash}", DUMMY)
    assert registered.status_code == 201
    user = registered.get_json()["user"]
    assert registered.get_json() == {
        "message": "User registered successfully",
        "user": {"id": user["id"], "username": "dummyuser", "email": "dummy@dummy.com"},
    }
    assert registered.headers["Location"]

    logged_in = send(client, kind, f"/login{slash}", DUMMY)
    assert logged_in.status_code == 200
    tokens = logged_in.get_json()
    assert list(tokens) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)

    opened = client.get(f"/resource{slash}", headers=bearer(tokens["access_token"]))
    assert opened.status_code == 200
    assert opened.get_json() == {"message": "akses sukses"}


def test_a_duplicate_user_is_told_so(client: FlaskClient, dummy: dict[str, str]) -> None:
    again = client.post("/register", data=dummy | {"email": "other@dummy.com"})
    assert again.status_code == 409
    assert again.content_type == "application/problem+json"
    assert again.get_json()["code"] == "username_taken"
    assert "username" in again.get_json()["errors"]


def test_a_duplicate_email_is_told_so(client: FlaskClient, dummy: dict[str, str]) -> None:
    again = client.post("/register", data=dummy | {"username": "other", "email": "DUMMY@dummy.com"})
    assert (again.status_code, again.get_json()["code"]) == (409, "email_taken")


def test_an_invalid_email_is_told_so(client: FlaskClient) -> None:
    refused = client.post("/register", data=DUMMY | {"email": "newuseroke"})
    assert refused.status_code == 400
    assert refused.get_json()["code"] == "validation_error"
    assert refused.get_json()["errors"] == {"email": ["An email address must have an @-sign."]}


@pytest.mark.parametrize("wrong", [{"password": "dummy12345"}, {"username": "nobody"}])
def test_wrong_credentials_are_told_so(
    client: FlaskClient, dummy: dict[str, str], wrong: dict[str, str]
) -> None:
    refused = client.post("/login", data=dummy | wrong)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.get_json()["code"] == "invalid_credentials"
    assert refused.get_json()["detail"] == "Invalid credentials"


def test_a_bad_token_opens_nothing(client: FlaskClient) -> None:
    refused = client.get("/resource", headers=bearer("not.a.token"))
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert refused.get_json()["code"] == "token_invalid"


def test_no_token_opens_nothing(client: FlaskClient) -> None:
    refused = client.get("/resource")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.get_json()["code"] == "token_missing"
