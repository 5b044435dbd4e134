"""GET /readyz: many at once share one look at the database, and none is remembered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from app.core.migrations import revisions
from app.extensions import db
from app.system.readiness import readiness
from tests.support.databases import execute
from tests.support.environment import wait_until

CLIENTS = 16


@pytest.mark.parametrize(("revision", "status"), [(None, 200), ("0001", 503)])
def test_those_who_come_together_ask_the_database_once(
    app: Flask, database_url: str, revision: str | None, status: int
) -> None:
    if revision:
        execute(database_url, f"UPDATE alembic_version SET version_num = '{revision}'")
    gate, looks = threading.Event(), []

    def hold(*_: object) -> None:
        looks.append(threading.get_ident())
        gate.wait(30)

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", hold)
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = [pool.submit(app.test_client().get, "/readyz") for _ in range(CLIENTS)]
            wait_until(lambda: looks, "the first to ask")
            waiting: Any = readiness.of(app)._flight
            wait_until(lambda: len(waiting._condition._waiters) == CLIENTS - 1, "the others")
            gate.set()
        assert {answer.result().status_code for answer in answers} == {status}
        assert len(set(looks)) == 1
        before = len(looks)
        assert app.test_client().get("/readyz").status_code == status
        assert len(looks) == 2 * before  # and nothing is remembered
    finally:
        execute(database_url, f"UPDATE alembic_version SET version_num = '{revisions()[-1]}'")
