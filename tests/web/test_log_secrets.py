"""What a log never holds: the values of a statement that failed (SECURITY 73, 78)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from app.models import User, utcnow
from app.web.marks import public

SECRETS = ["thief@example.com", "$2b$12$secret-hash", "secret name"]


def failing_insert() -> Any:
    db.session.add(
        User(username=SECRETS[2], email=SECRETS[0], password=SECRETS[1], created_at=utcnow())
    )
    db.session.commit()  # without a username_key, which may not be NULL


def test_a_failed_statement_is_logged_without_its_values(
    make_app: Callable[..., Flask],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make_app()
    app.add_url_rule("/failing", view_func=public(failing_insert))
    answer = app.test_client().get("/failing")
    assert answer.status_code == 500
    assert "parameters hidden" in caplog.text
    assert [secret for secret in SECRETS if secret in caplog.text + answer.text] == []
