"""/api/auth/: the calls of a SimpleJWT client and the ones beyond."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.application import DUMMY, bearer

API = "/api/auth"
NOT_VALID = "Given token not valid for any token type"


@pytest.fixture
def pair(client: FlaskClient, dummy: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = client.post(f"{API}/login/", data=dummy).get_json()
    return found


def refresh(client: FlaskClient, token: str) -> TestResponse:
    return client.post(f"{API}/token/refresh/", data={"refresh": token})


def verify(client: FlaskClient, token: str) -> TestResponse:
    return client.post(f"{API}/token/verify/", data={"token": token})


def login(client: FlaskClient, **fields: str) -> dict[str, str]:
    answer = client.post(f"{API}/login/", data=DUMMY | fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.get_json()
    return found


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_simplejwt_conversation_passes_unchanged(client: FlaskClient, slash: str) -> None:
    def post(path: str, **fields: str) -> TestResponse:
        return client.post(f"{API}/{path}{slash}", json=fields)

    assert post("register", **DUMMY).status_code == 201
    pair = post("login", username="dummyuser", password="dummy1234")
    assert (pair.status_code, list(pair.get_json())) == (200, ["refresh", "access"])

    me = client.get(f"{API}/me{slash}", headers=bearer(pair.get_json()["access"]))
    assert me.status_code == 200
    assert {"username": "dummyuser", "email": "dummy@dummy.com"}.items() <= me.get_json().items()

    next_pair = post("token/refresh", refresh=pair.get_json()["refresh"])
    assert (next_pair.status_code, list(next_pair.get_json())) == (200, ["access", "refresh"])
    for token in next_pair.get_json().values():
        verified = post("token/verify", token=token)
        assert (verified.status_code, verified.get_json()) == (200, {})

    newest = next_pair.get_json()["refresh"]
    ended = post("logout", refresh_token=newest)
    assert (ended.status_code, ended.get_json()) == (200, {})
    for path, fields in (
        ("logout", {"refresh": newest}),
        ("token/refresh", {"refresh": newest}),
        ("token/verify", {"token": newest}),
        ("token/verify", {"token": next_pair.get_json()["access"]}),
        ("token/verify", {"token": pair.get_json()["access"]}),
    ):
        refused = post(path, **fields)
        assert refused.status_code == 401
        assert refused.get_json()["detail"] == "Token is blacklisted"
        assert refused.get_json()["code"] == "token_not_valid"
        assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "nobody"}])
def test_wrong_credentials_are_refused_in_simplejwts_words(
    client: FlaskClient, dummy: dict[str, str], wrong: dict[str, str]
) -> None:
    refused = client.post(f"{API}/login/", data=dummy | wrong)
    assert refused.status_code == 401
    assert refused.get_json()["detail"] == "No active account found with the given credentials"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "This field may not be blank."),
        (None, "This field may not be null."),
        (7, "Not a valid string."),
        ([], "Not a valid string."),
        ({"a": 1}, "Not a valid string."),
        (True, "Not a valid string."),
    ],
)
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("login", "username"),
        ("login", "password"),
        ("register", "email"),
        ("token/refresh", "refresh"),
        ("token/verify", "token"),
        ("logout", "refresh_token"),
    ],
)
def test_a_field_at_fault_is_named_at_the_top_level(
    client: FlaskClient, path: str, field: str, value: object, message: str
) -> None:
    refused = client.post(f"{API}/{path}/", json=DUMMY | {field: value})
    assert refused.status_code == 400
    assert refused.get_json()[field] == [message]
    assert refused.get_json()["errors"][field] == [message]


def test_missing_fields_are_named(client: FlaskClient) -> None:
    refused = client.post(f"{API}/login/", json={}).get_json()
    required = ["This field is required."]
    assert (refused["username"], refused["password"]) == (required, required)


def test_a_list_is_no_body(client: FlaskClient) -> None:
    refused = client.post(f"{API}/login/", json=["x"])
    expected = ["Invalid data. Expected a dictionary, but got list."]
    assert (refused.status_code, refused.get_json()["non_field_errors"]) == (400, expected)


def test_other_media_types_and_methods_are_refused_in_simplejwts_words(client: FlaskClient) -> None:
    plain = client.post(f"{API}/login/", data="x", content_type="text/plain")
    assert plain.status_code == 415
    assert plain.get_json()["detail"] == 'Unsupported media type "text/plain" in request.'
    got = client.get(f"{API}/login/")
    assert (got.status_code, got.get_json()["detail"]) == (405, 'Method "GET" not allowed.')


def test_a_bad_authorization_header_does_not_disturb_a_login(
    client: FlaskClient, dummy: dict[str, str]
) -> None:
    answer = client.post(f"{API}/login/", data=dummy, headers=bearer("bad"))
    assert answer.status_code == 200


def test_without_a_token_the_account_is_closed(client: FlaskClient) -> None:
    refused = client.get(f"{API}/me/")
    assert refused.status_code == 401
    assert refused.get_json()["detail"] == "Authentication credentials were not provided."
    assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_a_refresh_token_is_no_access_token(client: FlaskClient, pair: dict[str, str]) -> None:
    for path in (f"{API}/me/", "/resource"):
        refused = client.get(path, headers=bearer(pair["refresh"]))
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    me = client.get(f"{API}/me/", headers=bearer(pair["refresh"])).get_json()
    fault = {
        "token_class": "AccessToken",
        "token_type": "access",
        "message": "Token has wrong type",
    }
    assert (me["detail"], me["code"], me["messages"]) == (NOT_VALID, "token_not_valid", [fault])


@pytest.mark.parametrize("path", ["token/refresh", "logout"])
def test_an_access_token_is_no_refresh_token(
    client: FlaskClient, pair: dict[str, str], path: str
) -> None:
    refused = client.post(f"{API}/{path}/", data={"refresh": pair["access"]})
    assert refused.status_code == 401
    assert refused.get_json()["detail"] == "Token has wrong type"


def test_the_predecessor_gets_the_identical_successor(
    client: FlaskClient, pair: dict[str, str]
) -> None:
    first, again = refresh(client, pair["refresh"]), refresh(client, pair["refresh"])
    assert first.get_json()["refresh"] == again.get_json()["refresh"]
    assert first.get_json()["access"] != again.get_json()["access"]
    for answer in (first, again):
        opened = client.get("/resource", headers=bearer(answer.get_json()["access"]))
        assert opened.status_code == 200


def test_an_older_token_ends_the_session_and_its_access_tokens(
    client: FlaskClient, pair: dict[str, str]
) -> None:
    second = refresh(client, pair["refresh"]).get_json()
    third = refresh(client, second["refresh"]).get_json()
    assert verify(client, pair["refresh"]).status_code == 401
    assert client.get("/resource", headers=bearer(third["access"])).status_code == 200

    assert refresh(client, pair["refresh"]).status_code == 401
    assert refresh(client, third["refresh"]).get_json()["detail"] == "Token is blacklisted"
    for answer in (pair, second, third):
        assert client.get("/resource", headers=bearer(answer["access"])).status_code == 401


def test_a_password_change_ends_every_other_session(
    client: FlaskClient, pair: dict[str, str]
) -> None:
    other = login(client)
    change = {"current_password": DUMMY["password"], "new_password": "another1234"}
    refused = client.post(
        f"{API}/password/",
        data=change | {"current_password": "wrong"},
        headers=bearer(pair["access"]),
    )
    assert (refused.status_code, refused.get_json()["code"]) == (403, "wrong_password")
    assert "current_password" in refused.get_json()

    done = client.post(f"{API}/password/", data=change, headers=bearer(pair["access"]))
    assert (done.status_code, done.get_json()) == (200, {})
    assert client.get("/resource", headers=bearer(pair["access"])).status_code == 200
    assert client.get("/resource", headers=bearer(other["access"])).status_code == 401
    assert refresh(client, other["refresh"]).status_code == 401
    assert client.post("/login", data=DUMMY).status_code == 401
    login(client, password="another1234")


@pytest.mark.parametrize("password", ["short", "dummyuser", "dummy@dummy.com", "a" * 73])
def test_a_new_password_obeys_the_rules_of_registration(
    client: FlaskClient, pair: dict[str, str], password: str
) -> None:
    change = {"current_password": DUMMY["password"], "new_password": password}
    refused = client.post(f"{API}/password/", data=change, headers=bearer(pair["access"]))
    assert refused.status_code == 400
    assert "new_password" in refused.get_json()


def test_a_profile_changes_with_the_password(client: FlaskClient, pair: dict[str, str]) -> None:
    def change(**fields: str) -> TestResponse:
        return client.patch(f"{API}/me/", data=fields, headers=bearer(pair["access"]))

    assert change(username="Renamed").status_code == 400
    assert change(current_password=DUMMY["password"]).status_code == 400
    assert change(username="Renamed", current_password="wrong").status_code == 403
    renamed = change(username="Renamed", current_password=DUMMY["password"])
    assert (renamed.status_code, renamed.get_json()["username"]) == (200, "Renamed")
    respelt = change(
        username="RENAMED", email="new@dummy.com", current_password=DUMMY["password"]
    ).get_json()
    assert (respelt["username"], respelt["email"]) == ("RENAMED", "new@dummy.com")
    login(client, username="new@dummy.com")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("username", "TAKEN", "username_taken"), ("email", "Taken@mail.com", "email_taken")],
)
def test_a_profile_takes_nothing_of_anothers(
    client: FlaskClient, pair: dict[str, str], field: str, value: str, code: str
) -> None:
    client.post("/register", data=DUMMY | {"username": "taken", "email": "taken@mail.com"})
    change = {field: value, "current_password": DUMMY["password"]}
    refused = client.patch(f"{API}/me/", data=change, headers=bearer(pair["access"]))
    assert (refused.status_code, refused.get_json()["code"]) == (409, code)
    assert field in refused.get_json()


def test_a_deleted_account_is_gone_and_its_tokens_serve_nobody(
    client: FlaskClient, pair: dict[str, str]
) -> None:
    def delete(password: str) -> TestResponse:
        confirmation = {"current_password": password}
        return client.delete(f"{API}/me/", data=confirmation, headers=bearer(pair["access"]))

    assert delete("wrong").status_code == 403
    assert delete(DUMMY["password"]).status_code == 204
    assert client.post("/login", data=DUMMY).status_code == 401
    assert client.post("/register", data=DUMMY).status_code == 201
    for path in ("/resource", f"{API}/me/", f"{API}/sessions/"):
        assert client.get(path, headers=bearer(pair["access"])).status_code == 401
    assert refresh(client, pair["refresh"]).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/me/"), ("PATCH", "/me/"), ("DELETE", "/me/"), ("POST", "/password/")],
)
def test_an_account_that_another_worker_deleted_is_no_404(
    make_app: Callable[..., Flask],
    client: FlaskClient,
    pair: dict[str, str],
    method: str,
    path: str,
) -> None:
    other = make_app().test_client()  # it does not know of the revocation yet
    password = {"current_password": DUMMY["password"]}
    gone = client.delete(f"{API}/me/", data=password, headers=bearer(pair["access"]))
    assert gone.status_code == 204
    fields = password | {"username": "other", "new_password": "a cat in a box"}
    answer = other.open(f"{API}{path}", method=method, data=fields, headers=bearer(pair["access"]))
    assert answer.status_code == 401
    assert answer.get_json()["messages"][0]["message"] == "Token is blacklisted"


def test_own_sessions_are_listed_and_ended(client: FlaskClient, pair: dict[str, str]) -> None:
    other = login(client)
    listed = client.get(f"{API}/sessions/", headers=bearer(pair["access"])).get_json()
    assert [session["current"] for session in listed] == [False, True]
    assert set(listed[0]) == {
        "id", "created_at", "last_used_at", "address", "user_agent", "current"
    }  # fmt: skip

    def end(session_id: int) -> TestResponse:
        return client.delete(f"{API}/sessions/{session_id}/", headers=bearer(pair["access"]))

    assert end(listed[0]["id"]).status_code == 204
    assert end(listed[0]["id"]).status_code == 404
    assert client.get("/resource", headers=bearer(other["access"])).status_code == 401
    assert len(client.get(f"{API}/sessions/", headers=bearer(pair["access"])).get_json()) == 1


def test_nobody_ends_anothers_session(client: FlaskClient, pair: dict[str, str]) -> None:
    client.post("/register", data=DUMMY | {"username": "other", "email": "other@mail.com"})
    other = login(client, username="other")
    theirs = client.get(f"{API}/sessions/", headers=bearer(other["access"])).get_json()[0]["id"]
    for session_id in (theirs, 0, 2**31, 10**30):
        refused = client.delete(f"{API}/sessions/{session_id}/", headers=bearer(pair["access"]))
        assert refused.status_code == 404
    assert client.get("/resource", headers=bearer(other["access"])).status_code == 200
