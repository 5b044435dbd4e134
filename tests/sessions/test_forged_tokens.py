"""Every token that is not ours, not whole or not of the kind is answered alike (SECURITY 18-28)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from flask import Flask
from flask.testing import FlaskClient

from app.sessions.keys import keyring
from tests.support.application import SharedApps, bearer

Forge = Callable[[dict[str, Any], dict[str, Any], "Keys"], str]


class Keys:
    """The service's own signing key, as a forger does not have it."""

    def __init__(self, app: Flask) -> None:
        key = keyring.of(app).current()
        self.kid, self.private = key.kid, key.private_key
        self.public_pem = key.public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_der = key.public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_jwk = json.dumps(key.public_jwk).encode()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts(header: object, claims: object) -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"


def signed(header: object, claims: object, keys: Keys, der: bool = False) -> str:
    """A token with the true key over whatever header and claims."""
    message = parts(header, claims)
    signature = keys.private.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
    if not der:
        r, s = utils.decode_dss_signature(signature)
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{message}.{b64(signature)}"


def hs256(secret: bytes) -> Forge:
    def forge(header: dict[str, Any], claims: dict[str, Any], keys: Keys) -> str:
        message = parts(header | {"alg": "HS256"}, claims)
        return f"{message}.{b64(hmac.digest(secret, message.encode(), hashlib.sha256))}"

    return forge


def unsigned(alg: str) -> Forge:
    return lambda header, claims, keys: parts(header | {"alg": alg}, claims) + "."


def without(claim: str) -> Forge:
    def forge(header: dict[str, Any], claims: dict[str, Any], keys: Keys) -> str:
        return signed(header, {name: claims[name] for name in claims if name != claim}, keys)

    return forge


def changed(**values: Any) -> Forge:
    return lambda header, claims, keys: signed(header, claims | values, keys)


def headed(**values: Any) -> Forge:
    return lambda header, claims, keys: signed(header | values, claims, keys)


def other_key(header: dict[str, Any], claims: dict[str, Any], keys: Keys) -> str:
    stranger = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims, stranger, "ES256", header)


def embedded_key(header: dict[str, Any], claims: dict[str, Any], keys: Keys) -> str:
    stranger = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(stranger.public_key()))
    return jwt.encode(claims, stranger, "ES256", header | {"jwk": jwk})


def es384(header: dict[str, Any], claims: dict[str, Any], keys: Keys) -> str:
    return jwt.encode(
        claims, ec.generate_private_key(ec.SECP384R1()), "ES384", header | {"alg": "ES384"}
    )


def public_key_as_secret(spelling: str) -> Forge:
    def forge(header: dict[str, Any], claims: dict[str, Any], keys: Keys) -> str:
        return hs256(getattr(keys, spelling))(header, claims, keys)

    return forge


FORGERIES: dict[str, Forge] = {
    **{f"none spelt {alg}": unsigned(alg)
       for alg in ("none", "None", "NONE", "nOnE", "")},
    **{f"HS256 with the {spelling}": public_key_as_secret(spelling)
       for spelling in ("public_pem", "public_der", "public_jwk")},
    "HS256 with an empty key": hs256(b""),
    "another key": other_key,
    "a key in the header": embedded_key,
    "ES384": es384,
    **{f"without {claim}": without(claim)
       for claim in ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "type",
                     "token_type", "user_id")},
    "another issuer": changed(iss="https://elsewhere.example"),
    "another audience": changed(aud="https://elsewhere.example"),
    "type refresh": changed(type="refresh", token_type="refresh"),
    "types that differ": changed(token_type="refresh"),
    "an ID token": headed(typ="JWT"),
    "not yet good": lambda h, c, k: signed(h, c | {"nbf": int(time.time()) + 600}, k),
    "from the future": lambda h, c, k: signed(h, c | {"iat": int(time.time()) + 600}, k),
    "sub a number": changed(sub=1),
    "sub no number": changed(sub="one"),
    "sub a list": changed(sub=["1"]),
    "sid null": changed(sid=None),
    "exp text": changed(exp="soon"),
    "exp infinite": changed(exp=float("inf")),
    "exp null": changed(exp=None),
    "unknown kid": headed(kid="unknown"),
    "kid a path": headed(kid="../../../../dev/null"),
    "kid SQL": headed(kid="' OR 1=1 --"),
    "kid a list": headed(kid=["x"]),
    "kid null": headed(kid=None),
    "kid huge": headed(kid="k" * 2000),
    "crit": headed(crit=["exp"]),
    "a DER signature": lambda h, c, k: signed(h, c, k, der=True),
    "r = s = 0": lambda h, c, k: f"{parts(h, c)}.{b64(bytes(64))}",
    "no signature": lambda h, c, k: parts(h, c) + ".",
    "two parts": lambda h, c, k: parts(h, c),
    "four parts": lambda h, c, k: signed(h, c, k) + ".x",
    "one part": lambda h, c, k: "x",
    "nothing": lambda h, c, k: "",
    "dots": lambda h, c, k: "..",
    "bad base64": lambda h, c, k: "!.!.!",
    "padded": lambda h, c, k: signed(h, c, k) + "==",
    "header a list": lambda h, c, k: signed([h], c, k),
    "header null": lambda h, c, k: signed(None, c, k),
    "claims a list": lambda h, c, k: signed(h, [c], k),
    "claims null": lambda h, c, k: signed(h, None, k),
    "claims deep": lambda h, c, k: f"{b64(json.dumps(h).encode())}.{b64(b'[' * 2500)}.x",
    "not UTF-8": lambda h, c, k: f"{b64(bytes([255, 254]))}.{b64(bytes([255]))}.x",
    "huge": lambda h, c, k: signed(h, c | {"x": "x" * 5_000}, k),
    "two tokens": lambda h, c, k: f"{signed(h, c, k)}, Bearer {signed(h, c, k)}",
    "two words": lambda h, c, k: f"{signed(h, c, k)} {signed(h, c, k)}",
    "an accent": lambda h, c, k: signed(h, c, k) + "é",
}  # fmt: skip


@pytest.fixture
def client(shared_client: FlaskClient) -> FlaskClient:
    return shared_client


@pytest.fixture
def tokens(shared_apps: SharedApps) -> dict[str, Any]:
    return shared_apps.tokens()


@pytest.fixture
def genuine(
    shared_app: Flask, tokens: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], Keys]:
    token = tokens["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.get_unverified_header(token), claims, Keys(shared_app)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_opens_nothing(
    client: FlaskClient, genuine: tuple[dict[str, Any], dict[str, Any], Keys], name: str
) -> None:
    assert client.get("/resource", headers=bearer(signed(*genuine))).status_code == 200
    token = FORGERIES[name](*genuine)
    refused = client.get("/resource", headers=bearer(token))
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert refused.headers["Cache-Control"] == "no-store"
    assert refused.content_type == "application/problem+json"
    assert refused.get_json()["code"] == "token_invalid"
    verified = client.post("/api/auth/token/verify/", json={"token": token})
    assert verified.status_code in ({400} if token == "" else {401})


def test_an_expired_token_is_called_so(
    client: FlaskClient, genuine: tuple[dict[str, Any], dict[str, Any], Keys]
) -> None:
    header, claims, keys = genuine
    past = int(time.time()) - 1
    for values in ({"exp": past}, {"exp": past, "iat": past - 900, "nbf": past - 900}):
        refused = client.get("/resource", headers=bearer(signed(header, claims | values, keys)))
        assert (refused.status_code, refused.get_json()["code"]) == (401, "token_expired")


@pytest.mark.parametrize("extra", [{"jku": "http://127.0.0.1:9/"}, {"x5u": "http://127.0.0.1:9/"}])
def test_addresses_in_the_header_change_nothing(
    client: FlaskClient,
    genuine: tuple[dict[str, Any], dict[str, Any], Keys],
    extra: dict[str, str],
) -> None:
    header, claims, keys = genuine
    good = client.get("/resource", headers=bearer(signed(header | extra, claims, keys)))
    assert good.status_code == 200
    bad = client.get("/resource", headers=bearer(other_key(header | extra, claims, keys)))
    assert bad.status_code == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_is_read_without_regard_to_case(
    client: FlaskClient, tokens: dict[str, Any], scheme: str
) -> None:
    header = {"Authorization": f"{scheme} {tokens['access_token']}"}
    assert client.get("/resource", headers=header).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", ""])
def test_another_scheme_is_no_token(
    client: FlaskClient, tokens: dict[str, Any], scheme: str
) -> None:
    refused = client.get(
        "/resource", headers={"Authorization": f"{scheme} {tokens['access_token']}"}
    )
    assert (refused.status_code, refused.get_json()["code"]) == (401, "token_missing")


def test_a_token_counts_in_the_header_alone(client: FlaskClient, tokens: dict[str, Any]) -> None:
    token = tokens["access_token"]
    client.set_cookie("access_token_cookie", token)
    answer = client.get(f"/resource?access_token={token}&jwt={token}", data={"access_token": token})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "token_missing")


def test_the_payload_holds_what_the_contract_says_and_nothing_personal(
    genuine: tuple[dict[str, Any], dict[str, Any], Keys],
) -> None:
    header, claims, keys = genuine
    assert header == {"alg": "ES256", "kid": keys.kid, "typ": "at+jwt"}
    assert set(claims) == {
        "iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "type", "token_type", "user_id"
    }  # fmt: skip
    assert claims["sub"] == claims["user_id"]
    assert claims["type"] == claims["token_type"] == "access"
    assert claims["exp"] - claims["iat"] == 900
    assert "dummy" not in json.dumps(claims)


def test_the_key_set_has_no_private_member(client: FlaskClient) -> None:
    answer = client.get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    (key,) = answer.get_json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
