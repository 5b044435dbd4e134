"""What a worker knows of revocations: without a query, for a stated time, no more than it needs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, update

from app import create_app
from app.accounts.errors import TokenRevokedError, UnsureError
from app.accounts.revocation import TRUST_SECONDS, Revocations
from app.extensions import db
from app.models import Session, utcnow
from tests.conftest import BROWSER, bearer, make_config


def test_the_resource_asks_the_database_nothing(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    header = bearer(tokens["access_token"])
    assert client.get("/resource", headers=header).status_code == 200
    app.extensions["revocations"].stop()  # its own look once a second is not the request's
    statements = []
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert client.get("/resource", headers=header).status_code == 200
    assert client.get("/resource", headers=bearer("bad")).status_code == 401
    assert statements == []
    assert client.get("/api/auth/me/", headers=header).status_code == 200
    assert statements != []  # the listener would have seen one


def test_the_resource_page_asks_the_database_nothing(
    app: Flask, client: FlaskClient, dummy: dict[str, str]
) -> None:
    page = client.get("/login", headers=BROWSER).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    client.post("/login", data=dummy | {"csrf_token": token}, headers=BROWSER)
    assert "akses sukses" in client.get("/resource", headers=BROWSER).text
    app.extensions["revocations"].stop()
    statements = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert "akses sukses" in client.get("/resource", headers=BROWSER).text
    assert statements == []


def test_the_list_forgets_what_no_access_token_can_outlive(
    app: Flask, client: FlaskClient, tokens: dict[str, Any]
) -> None:
    client.post("/api/auth/logout/", data={"refresh": tokens["refresh_token"]})
    known = Revocations(app)
    with app.app_context():
        (session_id,) = db.session.scalars(db.select(Session.id))
        db.session.rollback()
        known.look(db.engine)
        with pytest.raises(TokenRevokedError):
            known.check(session_id)

        over = utcnow() - timedelta(seconds=1)
        db.session.execute(update(Session).values(access_expires_at=over))
        db.session.commit()
        fresh = Revocations(app)
        fresh.look(db.engine)
        fresh.check(session_id)
        fresh.add(session_id, over)
        with pytest.raises(TokenRevokedError):
            fresh.check(session_id)
        fresh.look(db.engine)
        fresh.check(session_id)


def test_without_a_database_it_cannot_tell(tmp_path: Path) -> None:
    url = "mysql://root@127.0.0.1:1/nothing"
    lost = create_app(make_config(url, tmp_path / "lost"))
    known = lost.extensions["revocations"]
    with pytest.raises(UnsureError):
        known.check(1)
    known.stop()


def test_it_goes_on_with_what_it_knows_for_a_stated_time(app: Flask) -> None:
    known = Revocations(app)
    with app.app_context():
        known.look(db.engine)
        known.add(7, utcnow() + timedelta(seconds=900))
    known.check(1)
    with pytest.raises(TokenRevokedError):
        known.check(7)
    assert TRUST_SECONDS == 60
