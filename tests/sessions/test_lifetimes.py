"""A revoked access token stays revoked when lifetimes are configured later (SECURITY 79)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts import deletion, disabling, login, password_change
from app.core.errors import TokenRevokedError
from app.extensions import db
from app.models import utcnow
from app.sessions import ending, opening, refreshing
from app.sessions.origin import Actor, Origin
from app.sessions.revocation import RevocationList
from app.system import housekeeping
from tests.support.application import DUMMY, assert_problem, bearer
from tests.support.databases import execute, select

HERE = Origin("192.0.2.1", "own")
LONG, SHORT = 900, 1
# Longer ago than the new lifetime, and within the old one.
AGO = timedelta(seconds=62)


def actor(session: dict[str, int]) -> Actor:
    return Actor(session["user_id"], session["id"], HERE.client)


ENDINGS: dict[str, Callable[[dict[str, int]], object]] = {
    "a logout": lambda session: ending.log_out(session["id"]),
    "a logout everywhere": lambda session: ending.log_out_everywhere(session["user_id"]),
    "a password of the operator": lambda session: password_change.set_password(
        session["user_id"], "battery staple"
    ),
    "a disable": lambda session: disabling.set_disabled(session["user_id"], disabled=True),
    "a deletion": lambda session: deletion.delete_own(actor(session), DUMMY["password"]),
}
USES: dict[str, Callable[[dict[str, int], str], object]] = {
    "nothing": lambda session, refresh_token: None,
    "a refresh": lambda session, refresh_token: refreshing.refresh(refresh_token, HERE),
    "a renewed cookie": lambda session, refresh_token: opening.renew(session["id"], HERE),
}


def access_end(database_url: str) -> datetime:
    ((end,),) = select(database_url, "SELECT access_expires_at FROM session")
    return datetime.fromisoformat(str(end))


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_token_that_was_revoked_under_a_shorter_lifetime_stays_revoked(
    make_app: Callable[..., Flask],
    dummy: dict[str, str],
    database_url: str,
    use: Callable[..., object],
    ending: Callable[..., object],
) -> None:
    before = make_app(access_token_ttl=LONG)
    with before.app_context():
        grant = login.log_in(DUMMY["username"], DUMMY["password"], HERE)
    session = {"id": grant.session_id, "user_id": grant.user_id}
    ends = access_end(database_url)
    assert ends > utcnow() + timedelta(seconds=LONG - 60)

    lowered = make_app(access_token_ttl=SHORT)
    with lowered.app_context():
        use(session, grant.refresh_token)
        db.session.remove()
        ending(session)
    assert access_end(database_url) == ends
    execute(
        database_url,
        f"UPDATE session SET revoked_at = '{utcnow() - AGO}.000000', "
        f"last_used_at = '{utcnow() - AGO}.000000', rotated_at = '{utcnow() - AGO}.000000' "
        "WHERE revoked_at IS NOT NULL",
    )

    later = make_app(access_token_ttl=SHORT)
    refused = later.test_client().get("/resource", headers=bearer(grant.access_token))
    assert_problem(refused, 401, "token_revoked")
    known = RevocationList(later)
    with later.app_context():
        known.refresh(db.engine)
        housekeeping.purge(timedelta(0))  # nor is the row deleted that revokes it
        known.refresh(db.engine)
    with pytest.raises(TokenRevokedError):
        known.check(grant.session_id)


def test_a_token_lives_as_long_as_is_configured_now(
    make_app: Callable[..., Flask], dummy: dict[str, str]
) -> None:
    def life(answer: Any, began: float) -> int:
        """What is left of the token from the moment of the request on, in whole seconds."""
        claims = jwt.decode(answer["access"], options={"verify_signature": False})
        assert began - 1 < claims["iat"] <= time.time()
        # Times are cut to seconds, and the clock goes on between the end and the signature.
        found: int = round(claims["exp"] - int(began), -1)
        return found

    def post(client: FlaskClient, path: str, **fields: str) -> tuple[Any, int]:
        began = time.time()
        answer = client.post(f"/api/auth/{path}/", data=fields).get_json()
        return answer, life(answer, began)

    before = make_app(access_token_ttl=LONG).test_client()
    lowered = make_app(access_token_ttl=60).test_client()
    pair, lives = post(before, "login", **DUMMY)
    assert lives == LONG
    refresh = {"refresh": pair["refresh"]}
    assert post(lowered, "token/refresh", **refresh)[1] == 60
    assert post(lowered, "token/refresh", **refresh)[1] == 60  # repeated
    assert post(lowered, "login", **DUMMY)[1] == 60
