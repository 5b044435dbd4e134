"""The grace of a refresh token: who may present the predecessor again, from where, for how long.

The clock is moved by SQL: `session.rotated_at` is set back (CONTRACT 6, SECURITY 94).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts import login
from app.extensions import db
from app.models import utcnow
from app.sessions import listing, opening, refresh_tokens, refreshing
from app.sessions.origin import Origin
from app.sessions.refresh_tokens import RefreshToken
from tests.support.application import DUMMY, bearer
from tests.support.databases import execute, select

HOME, NEIGHBOUR, AWAY = "192.0.2.1", "192.0.2.200", "198.51.100.7"
HOME_V6, SAME_64, OTHER_64 = "2001:db8:0:1::1", "2001:db8:0:1:ffff::9", "2001:db8:0:2::1"
ROUNDS = range(20)
Pair = dict[str, str]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """With one proxy in front, which names the client's address."""
    return make_app(trusted_proxies=1)


def post(
    client: FlaskClient, path: str, address: str, agent: str = "own", **fields: str
) -> TestResponse:
    sent = {"X-Forwarded-For": address, "User-Agent": agent}
    return client.post(f"/api/auth/{path}/", data=fields, headers=sent)


def log_in(client: FlaskClient, address: str = HOME) -> Pair:
    found: dict[str, str] = post(client, "login", address, **DUMMY).get_json()
    return found


def refresh(
    client: FlaskClient, pair: Pair, address: str = HOME, agent: str = "own"
) -> TestResponse:
    return post(client, "token/refresh", address, agent, refresh=pair["refresh"])


def rotated(client: FlaskClient, address: str = HOME) -> tuple[Pair, Pair]:
    """A session's predecessor and its current pair, made from that address."""
    old = log_in(client, address)
    return old, refresh(client, old, address).get_json()


def set_back(database_url: str, seconds: int) -> None:
    """Let the last rotation be that long ago."""
    execute(database_url, f"UPDATE session SET rotated_at = '{moment(-seconds)}'")


def moment(seconds: int) -> str:
    return f"{utcnow() + timedelta(seconds=seconds)}.000000"


def jti(token: str) -> str:
    found: str = claims(token)["jti"]
    return found


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def assert_same_successor(answer: TestResponse, current: Pair) -> None:
    assert answer.status_code == 200, answer.text
    assert jti(answer.get_json()["refresh"]) == jti(current["refresh"])


def assert_ended(client: FlaskClient, answer: TestResponse, *pairs: Pair) -> None:
    """The session is over: no token of any pair counts."""
    assert (answer.status_code, answer.get_json()["detail"]) == (401, "Token is blacklisted")
    for pair in pairs:
        assert refresh(client, pair).status_code == 401
        assert client.get("/resource", headers=bearer(pair["access"])).status_code == 401


def reuses(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.msg == "refresh_token.reused"]


# --- how long, and from where --------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 28])
@pytest.mark.parametrize("address", [HOME, NEIGHBOUR, AWAY, HOME_V6])
def test_for_30_seconds_the_predecessor_counts_from_everywhere(
    client: FlaskClient, dummy: Pair, database_url: str, seconds: int, address: str
) -> None:
    old, current = rotated(client)
    set_back(database_url, seconds)
    assert_same_successor(refresh(client, old, address, "another"), current)
    assert post(client, "token/verify", address, token=old["refresh"]).status_code == 200
    assert refresh(client, current).status_code == 200


@pytest.mark.parametrize("seconds", [31, 598])
@pytest.mark.parametrize(
    ("rotated_from", "address"),
    [(HOME, HOME), (HOME, NEIGHBOUR), (HOME, f"::ffff:{NEIGHBOUR}"), (HOME_V6, SAME_64)],
)
def test_for_10_minutes_the_predecessor_counts_in_the_network_that_rotated_it(  # noqa: PLR0917
    client: FlaskClient,
    dummy: Pair,
    database_url: str,
    seconds: int,
    rotated_from: str,
    address: str,
) -> None:
    old, current = rotated(client, rotated_from)
    set_back(database_url, seconds)
    assert post(client, "token/verify", address, token=old["refresh"]).status_code == 200
    assert_same_successor(refresh(client, old, address, "another"), current)
    assert refresh(client, current, rotated_from).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "rotated_from", "address"),
    [
        (31, HOME, AWAY),
        (31, HOME, HOME_V6),
        (31, HOME_V6, OTHER_64),
        (31, HOME_V6, HOME),
        (601, HOME, HOME),
        (601, HOME_V6, HOME_V6),
    ],
)
def test_beyond_its_grace_the_predecessor_ends_the_session_with_a_warning(  # noqa: PLR0917
    client: FlaskClient,
    dummy: Pair,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    seconds: int,
    rotated_from: str,
    address: str,
) -> None:
    old, current = rotated(client, rotated_from)
    set_back(database_url, seconds)
    verified = post(client, "token/verify", address, token=old["refresh"])
    assert verified.status_code == 401
    assert client.get("/resource", headers=bearer(current["access"])).status_code == 200

    assert_ended(client, refresh(client, old, address), old, current)
    (warning,) = reuses(caplog)
    assert warning.levelname == "WARNING"
    assert str(warning.facts["session_id"]) == claims(current["refresh"])["sid"]
    assert str(warning.facts["user_id"]) == claims(current["refresh"])["sub"]


@pytest.mark.parametrize(
    ("seconds", "address", "status"),
    [(30, AWAY, 200), (31, AWAY, 401), (600, HOME, 200), (601, HOME, 401)],
)
def test_the_last_second_of_each_grace_counts(  # noqa: PLR0917
    client: FlaskClient,
    dummy: Pair,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    address: str,
    status: int,
) -> None:
    rotated_at = utcnow()
    monkeypatch.setattr(refreshing, "utcnow", lambda: rotated_at)
    old, _ = rotated(client)
    monkeypatch.setattr(refreshing, "utcnow", lambda: rotated_at + timedelta(seconds=seconds))
    assert refresh(client, old, address).status_code == status


def test_a_repetition_is_a_use_of_the_session(
    client: FlaskClient, dummy: Pair, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its access token is newer, and a revocation must be known until that one has expired."""
    old, current = rotated(client)
    later = utcnow() + timedelta(seconds=20)
    monkeypatch.setattr(refreshing, "utcnow", lambda: later)
    repeated = refresh(client, old).get_json()
    assert claims(repeated["access"])["exp"] > claims(current["access"])["exp"]
    columns = "last_used_at, access_expires_at"
    ((used_at, access_expires_at),) = select(database_url, f"SELECT {columns} FROM session")
    assert str(used_at)[:19] == str(later)
    ends = datetime.fromtimestamp(claims(repeated["access"])["exp"], UTC)
    assert str(access_expires_at)[:19] == str(ends)[:19]


def test_the_user_agent_does_not_make_up_for_another_network(
    client: FlaskClient, dummy: Pair, database_url: str
) -> None:
    old, current = rotated(client)
    set_back(database_url, 31)
    assert_ended(client, refresh(client, old, AWAY, agent="own"), old, current)


def test_the_grace_is_that_of_the_network_that_rotated_and_not_of_the_login(
    client: FlaskClient, dummy: Pair, database_url: str
) -> None:
    old = log_in(client, HOME)
    current = refresh(client, old, AWAY).get_json()
    set_back(database_url, 31)
    assert_same_successor(refresh(client, old, AWAY), current)
    assert_ended(client, refresh(client, old, HOME), old, current)


def test_a_repetition_does_not_extend_the_grace(
    client: FlaskClient, dummy: Pair, database_url: str
) -> None:
    old, current = rotated(client)
    # Within its 30 s a stranger gets the successor once more, but no network of its own.
    assert_same_successor(refresh(client, old, AWAY), current)
    set_back(database_url, 31)
    assert_same_successor(refresh(client, old, HOME), current)
    assert_ended(client, refresh(client, old, AWAY), old, current)


@pytest.mark.parametrize("seconds", [0, 31])
def test_an_older_token_ends_the_session_from_everywhere(
    client: FlaskClient,
    dummy: Pair,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    seconds: int,
) -> None:
    oldest, old = rotated(client)
    current = refresh(client, old).get_json()
    set_back(database_url, seconds)
    assert_ended(client, refresh(client, oldest, HOME), oldest, old, current)
    assert len(reuses(caplog)) == 1


# --- the thief who follows the victim ------------------------------------------------------------


def test_a_thief_who_refreshes_after_the_victim_is_detected(
    client: FlaskClient, dummy: Pair, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """20 rounds: the victim rotates, the thief follows from another network 31 s later."""
    for done in ROUNDS:
        stolen, current = rotated(client)
        set_back(database_url, 31)
        assert_ended(client, refresh(client, stolen, AWAY), stolen, current)
        assert len(reuses(caplog)) == done + 1


def test_a_thief_who_refreshes_before_the_victim_is_detected(
    client: FlaskClient, dummy: Pair, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """20 rounds: the thief rotates from another network, the victim follows 31 s later."""
    for done in ROUNDS:
        stolen = log_in(client)
        thiefs = refresh(client, stolen, AWAY).get_json()
        set_back(database_url, 31)
        assert_ended(client, refresh(client, stolen, HOME), stolen, thiefs)
        assert len(reuses(caplog)) == done + 1


# --- the address of the last use -----------------------------------------------------------------


def listed(client: FlaskClient, pair: Pair) -> list[str]:
    answer = client.get("/api/auth/sessions/", headers=bearer(pair["access"]))
    return [session["address"] for session in answer.get_json()]


def test_the_device_list_shows_the_address_of_the_last_rotation(
    client: FlaskClient, dummy: Pair
) -> None:
    old = log_in(client, HOME)
    assert listed(client, old) == [HOME]
    current = refresh(client, old, AWAY).get_json()
    assert listed(client, current) == [AWAY]
    assert refresh(client, old, HOME_V6).status_code == 200  # a repetition is no rotation
    assert listed(client, current) == [AWAY]


def test_of_a_long_address_what_the_column_holds_is_kept(client: FlaskClient, dummy: Pair) -> None:
    """A proxy in front names the address, and is believed."""
    scoped = f"fe80::1%{'interface' * 10}"
    old = log_in(client, HOME)
    current = refresh(client, old, scoped)
    assert current.status_code == 200
    assert listed(client, current.get_json()) == [scoped[:45]]


def test_a_browser_that_moves_keeps_its_session_and_shows_its_new_address(
    app: Flask, dummy: Pair, database_url: str
) -> None:
    with app.app_context():
        grant = login.log_in(DUMMY["username"], DUMMY["password"], Origin(HOME, "browser"))
    set_back(database_url, 3600)
    with app.app_context():
        renewed = opening.renew(grant.session_id, Origin(AWAY, "browser"))
        assert renewed.session_id == grant.session_id
        (session,) = listing.list_sessions(grant.user_id)
        db.session.rollback()
    assert session.address == AWAY
    assert select(database_url, "SELECT revoked_at FROM session") == [(None,)]


# --- how long a session can last -----------------------------------------------------------------


def signed(app: Flask, pair: Pair, **facts: Any) -> str:
    """The session's current refresh token, with other facts."""
    said = claims(pair["refresh"])
    values = {
        "user_id": int(said["sub"]),
        "session_id": int(said["sid"]),
        "rotation": said["rotation"],
        "issued_at": utcnow(),
        "expires_at": utcnow() + timedelta(days=1),
        "started_at": utcnow(),
    }
    with app.app_context():
        return refresh_tokens.sign_refresh(RefreshToken(**values | facts))


def test_a_token_from_before_the_upgrade_gets_a_successor_that_says_when_the_session_began(
    app: Flask, client: FlaskClient, dummy: Pair, database_url: str
) -> None:
    pair = log_in(client)
    began = utcnow() - timedelta(days=3)
    execute(database_url, f"UPDATE session SET created_at = '{began}.000000'")
    before = signed(app, pair, started_at=None)
    assert "started_at" not in claims(before)
    successor = refresh(client, {"refresh": before})
    assert successor.status_code == 200
    started_at = claims(successor.get_json()["refresh"])["started_at"]
    assert started_at == claims(signed(app, pair, started_at=began))["started_at"]
    assert refresh(client, successor.get_json()).status_code == 200


def test_rotation_does_not_extend_the_absolute_life(
    make_app: Callable[..., Flask], dummy: Pair, database_url: str
) -> None:
    app = make_app(trusted_proxies=1, session_max_age=100)
    client = app.test_client()
    pair = log_in(client)
    began = utcnow() - timedelta(seconds=90)
    successor = refresh(client, {"refresh": signed(app, pair, started_at=began)}).get_json()
    once_more = refresh(client, successor).get_json()
    ends = claims(signed(app, pair, expires_at=began + timedelta(seconds=100)))["exp"]
    assert [claims(each["refresh"])["exp"] for each in (successor, once_more)] == [ends, ends]

    execute(database_url, f"UPDATE session SET created_at = '{began}.000000'")
    with app.app_context():
        opening.renew(int(claims(pair["refresh"])["sid"]), Origin(HOME, "browser"))
    ((expires_at,),) = select(database_url, "SELECT expires_at FROM session")
    assert str(expires_at)[:19] == str(began + timedelta(seconds=100))
