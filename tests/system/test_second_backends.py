"""Back ends of other makes that know nothing but our public keys: access in, refresh out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask import Flask, Response, jsonify
from flask_jwt_extended import JWTManager, get_jwt_identity, verify_jwt_in_request

from tests.support.application import DUMMY, bearer
from tests.support.environment import ROOT, missing
from tests.support.http import once
from tests.support.servers import Server

NODE = ROOT / "tests" / "node"
BACKEND = ROOT / "tests" / "system" / "simplejwt_backend.py"


@dataclass
class Service:
    url: str
    user_id: str
    access: str
    refresh: str

    def keys(self) -> list[dict[str, str]]:
        with urllib.request.urlopen(f"{self.url}/.well-known/jwks.json", timeout=5) as answer:
            found: list[dict[str, str]] = json.load(answer)["keys"]
            return found


@pytest.fixture
def service(
    serve: Callable[..., AbstractContextManager[Server]], sqlite_migrated: Path, tmp_path: Path
) -> Iterator[Service]:
    shutil.copy(sqlite_migrated, tmp_path / "service.db")
    with serve(f"sqlite:///{tmp_path / 'service.db'}", WORKERS="1") as server:
        user = once(server.url, "POST", "/register", **DUMMY).json()["user"]
        pair = once(server.url, "POST", "/api/auth/login", **DUMMY).json()
        yield Service(server.url, str(user["id"]), pair["access"], pair["refresh"])


def test_pyjwt(service: Service) -> None:
    keys = jwt.PyJWKClient(f"{service.url}/.well-known/jwks.json")
    key = keys.get_signing_key_from_jwt(service.access).key
    rules: dict[str, Any] = {
        "algorithms": ["ES256"],
        "audience": service.url,
        "issuer": service.url,
    }
    assert jwt.decode(service.access, key, **rules)["sub"] == service.user_id
    with pytest.raises(jwt.PyJWKClientError):
        keys.get_signing_key_from_jwt(service.refresh)
    with pytest.raises(jwt.InvalidAlgorithmError):
        jwt.decode(service.refresh, key, **rules)


def test_flask_jwt_extended(service: Service) -> None:
    (key,) = service.keys()
    app = Flask("second")
    app.config.update(
        JWT_ALGORITHM="ES256",
        JWT_PUBLIC_KEY=jwt.PyJWK(key).key,
        JWT_DECODE_AUDIENCE=service.url,
        JWT_DECODE_ISSUER=service.url,
    )
    JWTManager(app)

    def who() -> Response:
        verify_jwt_in_request()
        return jsonify(id=get_jwt_identity())

    app.add_url_rule("/who", view_func=who)

    client = app.test_client()
    assert client.get("/who", headers=bearer(service.access)).get_json() == {"id": service.user_id}
    assert client.get("/who", headers=bearer(service.refresh)).status_code == 422


def test_simplejwt(service: Service) -> None:
    """In a process of its own, since Django is set up once for a process."""
    command = [sys.executable, str(BACKEND), service.url, service.access, service.refresh]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(said.stdout) == [service.user_id, "refused"]


def test_jose(service: Service) -> None:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "jose").is_dir():
        missing("Node with jose (npm ci --prefix tests/node)")

    def verify(token: str) -> subprocess.CompletedProcess[str]:
        command = [node, str(NODE / "verify.mjs"), service.url, token]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert verify(service.access).stdout.strip() == service.user_id
    refused = verify(service.refresh)
    assert refused.returncode != 0
    assert "JOSE" in refused.stderr
