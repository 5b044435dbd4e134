"""The provider of `make run SOCIAL_DEMO=1`: three made-up people, on this machine alone.

A small provider of OpenID Connect with what a sign-in needs and nothing else, run as a program of
its own beside the server. Whoever asks gets in as whom they like: it is never to be believed
outside a demo, and the settings refuse it there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import logging
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, abort, redirect, request
from werkzeug.serving import make_server
from werkzeug.wrappers import Response as AnyResponse

from app.config import DISCOVERY
from app.server.demo import CLIENT_ID

_CODE_SECONDS = 60
_PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "sari": {"name": "Sari Wulandari", "email": "sari@example.com", "email_verified": True},
    "budi": {"name": "Budi Santoso", "email": "budi@example.com", "email_verified": False},
    "ayu": {"name": "Ayu Lestari"},
}
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo provider</title>
<style>
  :root {{ color-scheme: light dark; font: 106.25%/1.5 system-ui, sans-serif; }}
  main {{ max-width: 24rem; margin: 48px auto; padding: 0 16px; }}
  button {{ display: block; width: 100%; min-height: 48px; margin: 8px 0; font: inherit; }}
  small {{ display: block; }}
</style>
<main>
  <h1>Who are you today?</h1>
  <p><strong>This is a demo.</strong> In its place stands Google, Facebook or your company's own
    provider. These people are made up, and nothing leaves your machine.</p>
  <form method="post">{buttons}<button name="who" value="">Cancel</button></form>
</main>
"""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a code stands for: who said yes, and to what."""

    who: str
    nonce: str
    challenge: str
    until: float


def create_provider(secret: str, callback: str) -> Flask:
    """Make the provider for the one client that knows this secret and listens at this address."""
    app = Flask("demo")
    key = rsa.generate_private_key(65537, 2048)
    codes: dict[str, Consent] = {}

    @app.get(DISCOVERY)
    def describe() -> dict[str, Any]:
        here = request.host_url.rstrip("/")
        return {
            "issuer": here,
            "authorization_endpoint": f"{here}/authorize",
            "token_endpoint": f"{here}/token",
            "jwks_uri": f"{here}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
        }

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        return {"keys": [public | {"kid": "demo", "use": "sig", "alg": "RS256"}]}

    @app.get("/authorize")
    def ask() -> str:
        _check(request.args, callback)
        buttons = [
            f'<button name="who" value="{who}">{html.escape(facts["name"])}'
            f"<small>{_described(facts)}</small></button>"
            for who, facts in _PEOPLE.items()
        ]
        return _PAGE.format(buttons="".join(buttons))

    @app.post("/authorize")
    def answer() -> AnyResponse:
        asked = request.args
        _check(asked, callback)
        who = request.form.get("who", "")
        back = {"state": asked.get("state", ""), "iss": request.host_url.rstrip("/")}
        if who in _PEOPLE:
            back["code"] = secrets.token_urlsafe(24)
            until = time.monotonic() + _CODE_SECONDS
            codes[back["code"]] = Consent(
                who, asked.get("nonce", ""), asked["code_challenge"], until
            )
        else:
            back["error"] = "access_denied"
        return redirect(f"{callback}?{urlencode(back)}", 303)

    @app.post("/token")
    def token() -> dict[str, Any] | tuple[dict[str, str], int]:
        sent = request.form
        consent = codes.pop(sent.get("code", ""), None)
        known = request.authorization
        if known is None or not hmac.compare_digest(known.password or "", secret):
            return {"error": "invalid_client"}, 401
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
        if (
            consent is None
            or consent.until < time.monotonic()
            or sent.get("redirect_uri") != callback
            or consent.challenge != challenge
        ):
            return {"error": "invalid_grant"}, 400
        now = int(time.time())
        claims = {
            "iss": request.host_url.rstrip("/"), "aud": CLIENT_ID, "sub": f"demo-{consent.who}",
            "iat": now, "exp": now + _CODE_SECONDS, "nonce": consent.nonce,
            "auth_time": now,  # it asks each time
            **_PEOPLE[consent.who],
        }  # fmt: skip
        signed = jwt.encode(claims, key, "RS256", {"kid": "demo"})
        answer = {"access_token": secrets.token_urlsafe(24), "token_type": "Bearer"}
        return answer | {"expires_in": _CODE_SECONDS, "id_token": signed}

    return app


def _check(asked: Mapping[str, str], callback: str) -> None:
    """Refuse a question that is not this service's."""
    own = (asked.get("client_id"), asked.get("redirect_uri")) == (CLIENT_ID, callback)
    pkce = asked.get("code_challenge_method") == "S256" and asked.get("code_challenge")
    if not (own and pkce):
        abort(400)


def _described(facts: Mapping[str, Any]) -> str:
    if "email" not in facts:
        return "has no e-mail"
    proven = "proven" if facts["email_verified"] else "not proven"
    return f"{facts['email']}, {proven} there"


def main() -> None:
    """Serve until standard input ends; its first lines are the secret and the callback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = create_provider(sys.stdin.readline().strip(), sys.stdin.readline().strip())
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
