"""The commands for whoever runs the service."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.sessions.revocation import revocation_list
from tests.support.application import DUMMY, bearer
from tests.support.databases import execute

Run = Callable[..., Any]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command; its JSON where it printed some."""

    def run(*arguments: str, fails: int = 0, typed: str | None = None) -> Any:
        result = app.test_cli_runner().invoke(args=[*arguments, "--json"], input=typed)
        assert result.exit_code == fails, result.output
        return result.stderr if fails else json.loads(result.stdout)

    return run


def logs_in(client: FlaskClient, **fields: str) -> bool:
    return client.post("/login", data=DUMMY | fields).status_code == 200


def test_an_account_is_made_shown_and_listed(run: Run, client: FlaskClient) -> None:
    (made,) = run("users", "create", " dummyuser ", "dummy@dummy.com ", typed="dummy1234\n")
    assert (made["username"], made["email"]) == ("dummyuser", "dummy@dummy.com")
    assert logs_in(client)
    assert run("users", "show", " DUMMYUSER ") == run("users", "show", "dummy@dummy.com") == [made]
    assert run("users", "list") == [made]


@pytest.mark.parametrize(
    ("arguments", "typed", "reason"),
    [
        (["x!", "a@b.com"], "dummy1234", "username:"),
        (["name", "nowhere"], "dummy1234", "email: An email address must have an @-sign."),
        (["name", "a@b.com"], "short", "password:"),
        (["DummyUser", "a@b.com"], "dummy1234", "username: That username is taken."),
    ],
)
def test_an_account_that_breaks_a_rule_is_refused_in_one_line(
    run: Run, dummy: dict[str, str], arguments: list[str], typed: str, reason: str
) -> None:
    said = run("users", "create", *arguments, typed=f"{typed}\n", fails=1)
    (line,) = [line for line in said.splitlines() if line.startswith("Error:")]
    assert reason in line


def test_a_disabled_person_is_out_at_once_and_may_come_back(
    run: Run, client: FlaskClient, dummy: dict[str, str], tokens: dict[str, Any]
) -> None:
    (disabled,) = run("users", "disable", "dummyuser")
    assert disabled["disabled_at"]
    assert client.get("/resource", headers=bearer(tokens["access_token"])).status_code == 401
    refresh = {"refresh": tokens["refresh_token"]}
    assert client.post("/api/auth/token/refresh/", data=refresh).status_code == 401
    assert not logs_in(client)

    (enabled,) = run("users", "enable", "dummyuser")
    assert enabled["disabled_at"] is None
    assert logs_in(client)


def test_a_password_that_is_set_ends_every_session(
    run: Run, client: FlaskClient, dummy: dict[str, str], tokens: dict[str, Any]
) -> None:
    run("users", "set-password", "dummyuser", typed="short\n", fails=1)
    run("users", "set-password", "dummyuser", typed="another1234\n")
    assert client.get("/resource", headers=bearer(tokens["access_token"])).status_code == 401
    assert not logs_in(client)
    assert logs_in(client, password="another1234")


@pytest.mark.parametrize(
    ("command", "typed"), [("disable", None), ("set-password", "another1234\n")]
)
def test_this_process_refuses_the_tokens_without_looking_at_the_database(  # noqa: PLR0917
    run: Run, app: Flask, client: FlaskClient, tokens: dict[str, Any], command: str,
    typed: str | None,
) -> None:  # fmt: skip
    """Others learn of it within two seconds."""
    mine = bearer(tokens["access_token"])
    assert client.get("/resource", headers=mine).status_code == 200
    revocation_list.of(app).stop()
    run("users", command, "dummyuser", typed=typed)
    assert client.get("/resource", headers=mine).status_code == 401


def test_a_deleted_account_is_gone(
    run: Run, client: FlaskClient, dummy: dict[str, str], tokens: dict[str, Any]
) -> None:
    run("users", "delete", "dummyuser", typed="n\n", fails=1)
    assert len(run("users", "list")) == 1
    run("users", "delete", "dummyuser", "--yes")
    assert run("users", "list") == []
    assert client.get("/resource", headers=bearer(tokens["access_token"])).status_code == 401


def test_sessions_are_listed_and_revoked(
    run: Run, client: FlaskClient, dummy: dict[str, str], tokens: dict[str, Any]
) -> None:
    (session,) = run("sessions", "list", "dummyuser")
    assert run("sessions", "revoke", str(session["id"])) == [{"ended": 1}]
    assert client.get("/resource", headers=bearer(tokens["access_token"])).status_code == 401
    run("sessions", "revoke", str(session["id"]), fails=1)
    logs_in(client)
    logs_in(client)
    assert run("sessions", "revoke", "--user", "dummyuser") == [{"ended": 2}]
    run("sessions", "revoke", fails=2)


def test_purge_deletes_what_ended_long_ago_and_spares_what_still_revokes(
    run: Run, client: FlaskClient, database_url: str, tokens: dict[str, Any]
) -> None:
    client.post("/api/auth/logout/", data={"refresh": tokens["refresh_token"]})
    assert run("purge", "--older-than", "0") == [{"deleted": 0}]
    long_ago = "'2001-01-01 00:00:00'"
    execute(
        database_url, f"UPDATE session SET access_expires_at = {long_ago}, revoked_at = {long_ago}"
    )
    assert run("purge") == [{"deleted": 1}]


def test_keys_are_listed_rotated_and_retired(run: Run, client: FlaskClient) -> None:
    (first,) = run("keys", "list")
    assert first["state"] == "current"
    assert [key["state"] for key in run("keys", "rotate")] == ["current", "next"]
    assert len(client.get("/.well-known/jwks.json").get_json()["keys"]) == 2
    (left,) = run("keys", "retire", first["kid"])
    assert left["state"] == "current"
    run("keys", "retire", left["kid"], fails=1)
    run("keys", "retire", "unknown", fails=1)


def test_an_unknown_name_is_told_so(run: Run) -> None:
    for command in ("show", "disable", "enable", "delete"):
        assert "no account" in run("users", command, "nobody", fails=1)
