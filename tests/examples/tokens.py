"""The table: what a program may be sent, and what each example says to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.examples.conftest import Pair, Service

FOREIGN = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
HOUR = 3600


@dataclass
class Material:
    """What tokens are made of.

    Attributes:
        pair: a login that stands, signed by the key that signs now.
        second: one that stands, signed by the other key of the set.
        retired: one that stands, whose key is no longer in the set.
        revoked: one that was logged out.

    """

    service: Service
    pair: Pair
    second: Pair
    retired: Pair
    revoked: Pair

    def signed(
        self, header: dict[str, Any] | None = None, key: Any = None, alg: str = "ES256",
        without: str = "", **claims: Any,
    ) -> str:  # fmt: skip
        """A good token with something else in it: a None in the header takes a member away."""
        changed = {**self.pair.claims, **claims}
        changed.pop(without, None)
        head = {"kid": self.pair.kid, "typ": "at+jwt", **(header or {})}
        kept = {name: value for name, value in head.items() if value is not None}
        if "typ" in head and "typ" not in kept:
            kept["typ"] = None  # else PyJWT writes its own
        return jwt.encode(changed, key or self.private_pem, algorithm=alg, headers=kept)

    @property
    def private_pem(self) -> str:
        return self.service.private_key(self.pair.kid)

    @property
    def public_pem(self) -> bytes:
        private = serialization.load_pem_private_key(self.private_pem.encode(), password=None)
        return private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def prepare(service: Service) -> Material:
    """Rotate twice and retire the first key: two are left."""
    retired = service.log_in()
    service.rotate()
    second = service.log_in()
    service.rotate()
    service.retire(retired.kid)
    pair, revoked = service.log_in(), service.log_in()
    assert len({retired.kid, second.kid, pair.kid}) == 3
    service.log_out(revoked)
    return Material(service, pair, second, retired, revoked)


@dataclass(frozen=True)
class Case:
    """What is sent and what is said to it.

    Attributes:
        make: the token, or where it is not sent as one, the Authorization headers.
        code: of the refusal, or None if it is good.
        where: with {token} in place: a query or a cookie.
        is_lenient: the service itself, whose own clock it is, says something else.

    """

    name: str
    make: Callable[[Material], str | list[str]]
    code: str | None
    where: dict[str, str] = field(default_factory=dict)
    is_lenient: bool = False

    @property
    def status(self) -> int:
        return 401 if self.code else 200


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def parts(token: str) -> list[str]:
    return token.split(".")


def with_signature(token: str, change: Callable[[bytes], bytes]) -> str:
    head, body, signature = parts(token)
    raw = base64.urlsafe_b64decode(f"{signature}==")
    return f"{head}.{body}.{encoded(change(raw))}"


def as_der(signature: bytes) -> bytes:
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    return encode_dss_signature(r, s)


def signed_by_hand(material: Material, header: bytes, payload: bytes) -> str:
    """Any bytes, signed well."""
    private = serialization.load_pem_private_key(material.private_pem.encode(), password=None)
    signing = f"{encoded(header)}.{encoded(payload)}"
    ecdsa = jwt.get_algorithm_by_name("ES256")
    return f"{signing}.{encoded(ecdsa.sign(signing.encode(), private))}"


NESTED = b'{"alg":' + b"[" * 1500 + b"]" * 1500 + b"}"


def good_header(material: Material) -> bytes:
    return json.dumps({"alg": "ES256", "kid": material.pair.kid, "typ": "at+jwt"}).encode()


def by_hmac(material: Material, secret: bytes) -> str:
    """HS256 with what everybody knows; PyJWT itself refuses to make such a token."""
    header = {"alg": "HS256", "kid": material.pair.kid, "typ": "at+jwt"}
    signing = f"{encoded(json.dumps(header).encode())}.{parts(material.pair.access)[1]}"
    return f"{signing}.{encoded(hmac.digest(secret, signing.encode(), hashlib.sha256))}"


def unsigned(alg: str) -> Callable[[Material], str]:
    def make(material: Material) -> str:
        header = json.dumps({"alg": alg, "kid": material.pair.kid, "typ": "at+jwt"})
        return f"{encoded(header.encode())}.{parts(material.pair.access)[1]}."

    return make


def in_seconds(seconds: float) -> int:
    return int(time.time() + seconds)


def own_jwk() -> dict[str, Any]:
    jwk: dict[str, Any] = jwt.get_algorithm_by_name("ES256").to_jwk(
        FOREIGN.public_key(), as_dict=True
    )
    return jwk


INVALID, EXPIRED, REVOKED, MISSING = (
    f"token_{what}" for what in ("invalid", "expired", "revoked", "missing")
)
TABLE = [
    # Good ones.
    Case("good", lambda m: m.pair.access, None),
    Case("signed by the second key of the set", lambda m: m.second.access, None),
    Case("bearer in lower case", lambda m: [f"bearer {m.pair.access}"], None),
    Case("BEARER in upper case", lambda m: [f"BEARER {m.pair.access}"], None),
    Case("expired 60 s ago", lambda m: m.signed(exp=in_seconds(-60)), None, is_lenient=True),
    Case("not before 60 s from now", lambda m: m.signed(nbf=in_seconds(60)), None,
         is_lenient=True),
    # Time and logout.
    Case("expired an hour ago", lambda m: m.signed(exp=in_seconds(-HOUR)), EXPIRED),
    Case("not before an hour from now", lambda m: m.signed(nbf=in_seconds(HOUR)), INVALID),
    Case("logged out", lambda m: m.revoked.access, REVOKED),
    Case("logged out, expired 60 s ago",
         lambda m: m.signed(sid=m.revoked.sid, exp=in_seconds(-60)), REVOKED, is_lenient=True),
    # Whose it is.
    Case("another issuer", lambda m: m.signed(iss="https://login.example.com"), INVALID),
    Case("another audience", lambda m: m.signed(aud="https://shop.example.com"), INVALID),
    Case("another key under a known kid", lambda m: m.signed(key=FOREIGN), INVALID),
    Case("unknown kid", lambda m: m.signed({"kid": "elsewhere"}, FOREIGN), INVALID),
    Case("no kid", lambda m: m.signed({"kid": None}), INVALID),
    Case("kid is a number", lambda m: signed_by_hand(
        m, b'{"alg":"ES256","kid":7,"typ":"at+jwt"}', b"{}"), INVALID),
    Case("signed by a retired key", lambda m: m.retired.access, INVALID),
    Case("own key in the header",
         lambda m: m.signed({"jwk": own_jwk(), "kid": None}, FOREIGN), INVALID),
    Case("address of keys in the header", lambda m: m.signed(
        {"jku": f"{m.service.url}/.well-known/jwks.json", "kid": "elsewhere"}, FOREIGN), INVALID),
    # What it is for.
    Case("refresh token", lambda m: m.pair.refresh, INVALID),
    Case("type refresh", lambda m: m.signed(type="refresh", token_type="refresh"), INVALID),
    Case("type other", lambda m: m.signed(type="other", token_type="other"), INVALID),
    Case("typ JWT", lambda m: m.signed({"typ": "JWT"}), INVALID),
    Case("no typ", lambda m: m.signed({"typ": None}), INVALID),
    *(Case(f"no {claim}", lambda m, claim=claim: m.signed(without=claim), INVALID)  # type: ignore[misc]
      for claim in ("iss", "aud", "sub", "sid", "type", "exp", "nbf")),
    # How it is signed.
    Case("alg none", unsigned("none"), INVALID),
    Case("alg None", unsigned("None"), INVALID),
    Case("HS256 with the public key", lambda m: by_hmac(m, m.public_pem), INVALID),
    Case("RS256", lambda m: m.signed(key=RSA, alg="RS256"), INVALID),
    Case("ES384", lambda m: m.signed(key=P384, alg="ES384"), INVALID),
    Case("truncated", lambda m: m.pair.access[:-10], INVALID),
    Case("without its signature", lambda m: ".".join([*parts(m.pair.access)[:2], ""]), INVALID),
    Case("two parts", lambda m: ".".join(parts(m.pair.access)[:2]), INVALID),
    Case("signature in DER", lambda m: with_signature(m.pair.access, as_der), INVALID),
    Case("r = s = 0", lambda m: with_signature(m.pair.access, lambda _: bytes(64)), INVALID),
    Case("a sign that stands in no token", lambda m: f"{m.pair.access}!", INVALID),
    # What it is made of.
    Case("crit in the header", lambda m: m.signed({"crit": ["b64"], "b64": True}), INVALID),
    Case("payload is a list", lambda m: signed_by_hand(m, good_header(m), b"[]"), INVALID),
    Case("payload is null", lambda m: signed_by_hand(m, good_header(m), b"null"), INVALID),
    Case("header is a list", lambda m: signed_by_hand(m, b"[]", b"{}"), INVALID),
    Case("header is not UTF-8", lambda m: signed_by_hand(m, b'{"alg":"\xff"}', b"{}"), INVALID),
    Case("header of nested arrays", lambda m: signed_by_hand(m, NESTED, b"{}"), INVALID),
    # How it is sent.
    Case("two Authorization headers", lambda m: [f"Bearer {m.pair.access}"] * 2, INVALID),
    Case("a second header with a comma alone",
         lambda m: [f"Bearer {m.pair.access}", ","], INVALID),
    Case("empty bearer", lambda _: ["Bearer "], INVALID),
    Case("bearer alone", lambda _: ["Bearer"], INVALID),
    Case("two tokens", lambda m: [f"Bearer {m.pair.access} {m.pair.access}"], INVALID),
    Case("no header", lambda _: [], MISSING),
    Case("another scheme", lambda m: [f"Basic {m.pair.access}"], MISSING),
    Case("without a scheme", lambda m: [m.pair.access], MISSING),
    Case("in the query", lambda _: [], MISSING,
         {"query": "?access_token={token}&token={token}&jwt={token}"}),
    Case("in a cookie", lambda _: [], MISSING,
         {"cookie": "access_token={token}; token={token}; access_token_cookie={token}"}),
]  # fmt: skip
