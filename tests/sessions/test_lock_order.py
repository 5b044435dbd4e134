"""Whatever ends sessions locks the account's row first: one order for all, so no deadlock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.accounts import disabling
from app.core.errors import TokenRevokedError
from app.extensions import db
from app.sessions import ending, refreshing
from app.sessions.origin import Origin
from tests.support.application import DUMMY

HERE = Origin("192.0.2.1", "test")


class Ending:
    """An account with a session whose refresh token was used twice, and how to end it."""

    def __init__(self, client: FlaskClient) -> None:
        self.stale = token = client.post("/login", data=DUMMY).get_json()["refresh_token"]
        for _ in range(2):
            answer = client.post("/api/auth/token/refresh/", data={"refresh": token})
            token = answer.get_json()["refresh"]
        self.refresh_token = token
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        self.user_id, self.session_id = int(claims["sub"]), int(claims["sid"])

    def reuse(self) -> None:
        with suppress(TokenRevokedError):
            refreshing.refresh(self.stale, HERE)


ENDINGS: dict[str, Callable[[Ending], object]] = {
    "a logout by the refresh token": lambda e: ending.log_out_by_refresh(e.refresh_token),
    "a logout of the browser": lambda e: ending.log_out(e.session_id),
    "a logout everywhere": lambda e: ending.log_out_everywhere(e.user_id),
    "a logout of a device": lambda e: ending.revoke(e.user_id, e.session_id),
    "a stale refresh token": Ending.reuse,
    "a disabled account": lambda e: disabling.set_disabled(e.user_id, disabled=True),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_the_accounts_row_is_locked_before_a_sessions(
    app: Flask, client: FlaskClient, dummy: dict[str, str], end: Callable[[Ending], object]
) -> None:
    one = Ending(client)
    locking: list[str] = []

    def note(*call: Any) -> None:
        statement = call[2]
        if statement.startswith("SELECT") and call[4].execution_options.get("write_lock"):
            locking.append("user" if "FROM user" in statement else statement)
        elif statement.startswith("UPDATE session") and "SET revoked_at" in statement:
            locking.append("session")

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        end(one)
        event.remove(db.engine, "before_cursor_execute", note)
    assert locking[:2] == ["user", "session"]
