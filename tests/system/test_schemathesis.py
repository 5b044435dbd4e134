"""Whatever is sent, the service answers as its description says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis import Case, HookContext
from schemathesis.specs.openapi.checks import allow_header_conformance, positive_data_acceptance

from app import create_app
from app.passwords import strength
from app.system import api_description
from tests.support.application import DUMMY, bearer, close
from tests.support.databases import make_config

NUMBERS = itertools.count()
schema = schemathesis.openapi.from_dict(api_description.load())
# The document limits a password's characters, the service its bytes.
schema.config.generation.codec = "ascii"
BY_CODE = {
    "/api/auth/social/token/", "/api/auth/password/reset/confirm/",
    "/api/auth/email/verify/confirm/", "/api/auth/email/undo/",
}  # fmt: skip


@schema.hook
def map_body(_context: HookContext, body: Any) -> Any:
    """Leave out what is no field of ours and would be sent more than once by a form."""
    if not isinstance(body, dict):
        return body
    return {k: v for k, v in body.items() if not isinstance(v, list | dict) or k in DUMMY}


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    # Rules that the document says in words only.
    monkeypatch.setattr(strength, "MIN_GUESSES", 0)
    monkeypatch.setattr("email_validator.SPECIAL_USE_DOMAIN_NAMES", [])
    app = create_app(make_config(sqlite_url, tmp_path, ratelimit_enabled=False))
    yield app
    close(app)


def fresh_access_token(service: Flask) -> str:
    """That of an account of its own, since the request may change or delete it."""
    client = service.test_client()
    name = f"dummy{next(NUMBERS)}"
    account = DUMMY | {"username": name, "email": f"{name}@dummy.com"}
    assert client.post("/register", data=account).status_code == 201
    found: str = client.post("/login", data=account).get_json()["access_token"]
    return found


@schema.parametrize()
@settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_answer_is_as_described(case: Case[Any], service: Flask) -> None:
    case.operation.app = case.operation.schema.app = service
    guarded = "security" in case.operation.definition.raw
    headers = bearer(fresh_access_token(service)) if guarded else None
    # People share addresses with programs, and Allow names their methods too.
    excluded = [allow_header_conformance]
    if case.operation.path in BY_CODE:  # a code that was made up is well-formed
        excluded.append(positive_data_acceptance)
    case.call_and_validate(headers=headers, excluded_checks=excluded)
