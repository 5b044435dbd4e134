"""The keyring: the key that signs access tokens, the next one, and those that still verify.

A key is published before it signs and stays published until the last token that it signed has
expired, so that a rotation invalidates no token. All workers of all replicas read one file; they
notice a change of it within a second, or at once when a token names a key they do not know.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from app import audit
from app.audit import Event
from app.config import ConfigError, settings
from app.core import secret_files
from app.services import Service

# Longer than the five minutes for which others may keep our key set.
PUBLISH_SECONDS = 600
_CHECK_INTERVAL = 1.0
# Its file in the instance folder.
KEYRING = "keyring.json"


@dataclass(frozen=True)
class Key:
    """One signing key.

    Attributes:
        kid: its name, the RFC 7638 thumbprint of its public half.
        private_pem: both halves, PKCS#8 in PEM.
        signs_from: Unix time from which it signs.

    """

    kid: str
    private_pem: str
    signs_from: float

    @cached_property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        """The private half."""
        key = serialization.load_pem_private_key(self.private_pem.encode(), password=None)
        return cast("ec.EllipticCurvePrivateKey", key)

    @cached_property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self.private_key.public_key()

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key (RFC 7517, 7518 §6.2.1)."""
        use = {"kid": self.kid, "use": "sig", "alg": "ES256"}
        return ECAlgorithm.to_jwk(self.public_key, as_dict=True) | use


class Keyring:
    """The keys of one instance folder."""

    def __init__(self, path: Path, token_life: int, *, create: bool = True) -> None:
        """Open the keyring; create the first key if there is none.

        Args:
            path: the file that holds the keys.
            token_life: seconds for which an access token lives.
            create: False makes no key; without the file the keyring is not to be used.

        Raises:
            ConfigError: the file is damaged.

        """
        self._path = path
        self._token_life = token_life
        self._checked_at = float("-inf")
        self._stamp: tuple[int, int] | None = None
        # By name, oldest first, each with the time at which the last of its tokens expires.
        self._keys: dict[str, tuple[Key, float]] = {}
        if not create and not path.exists():
            return
        secret_files.read_or_create(path, lambda: _dump([_new_key(signs_from=time.time())]))
        try:
            self.current().private_key  # noqa: B018 - parsed here, and kept
        except (ValueError, TypeError, LookupError):
            raise ConfigError(f"{path} is damaged: bring back a copy of it.") from None

    def all(self) -> list[Key]:
        """Every key whose tokens are still good, oldest first; the next one is the last."""
        self._refresh()
        now = time.time()
        return [key for key, until in self._keys.values() if until > now]

    def current(self) -> Key:
        """The key that signs now."""
        now = time.time()
        signing = [key for key in self.all() if key.signs_from <= now]
        return signing[-1] if signing else self.all()[0]

    def find(self, kid: str) -> Key | None:
        """The key with this `kid`, or None. Only the keyring is searched."""
        self._refresh()
        if kid not in self._keys:
            self._refresh(now=True)
        key, until = self._keys.get(kid, (None, 0.0))
        return key if until > time.time() else None

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set (RFC 7517 §5)."""
        return {"keys": [key.public_jwk for key in self.all()]}

    def rotate(self, publish_seconds: float = PUBLISH_SECONDS) -> Key:
        """Create a key that is published now and signs later.

        Args:
            publish_seconds: how long verifiers have to fetch it before it signs.

        """
        key = _new_key(signs_from=time.time() + publish_seconds)
        self._save([*self.all(), key])
        audit.record(Event.KEY_CREATED, kid=key.kid)
        return key

    def retire(self, kid: str) -> None:
        """Remove a key at once: every token that it signed is refused from now on.

        Raises:
            KeyError: there is no such key.
            ValueError: it is the only key that could sign.

        """
        left = [key for key in self.all() if key.kid != kid]
        if len(left) == len(self.all()):
            raise KeyError(kid)
        if not left:
            raise ValueError(kid)
        self._save(left)
        audit.record(Event.KEY_RETIRED, kid=kid)

    def _save(self, keys: list[Key]) -> None:
        secret_files.replace(self._path, _dump(sorted(keys, key=lambda key: key.signs_from)))
        self._refresh(now=True)

    def _refresh(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._checked_at < _CHECK_INTERVAL:
            return
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            keys = [Key(**entry) for entry in json.loads(self._path.read_bytes())]
            successors = [*(key.signs_from for key in keys[1:]), float("inf")]
            self._keys = {
                key.kid: (key, replaced_at + self._token_life)
                for key, replaced_at in zip(keys, successors, strict=True)
            }
            self._stamp = stamp
        self._checked_at = time.monotonic()


keyring = Service[Keyring]("keyring")


def init_app(app: Flask, *, create: bool) -> None:
    """Open the application's keyring; without `create` no file is written."""
    config = settings.of(app)
    path = config.instance_path / KEYRING
    keyring.bind(app, Keyring(path, config.access_token_ttl, create=create))


def _new_key(signs_from: float) -> Key:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Key(_thumbprint(private.public_key()), pem.decode(), signs_from)


def _thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """The name of a key (RFC 7638 §3): a hash of the members that make it one, in their order."""
    members = ECAlgorithm.to_jwk(key, as_dict=True)
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64url_encode(hashlib.sha256(canonical.encode()).digest()).decode()


def _dump(keys: list[Key]) -> bytes:
    entries = [
        {"kid": key.kid, "private_pem": key.private_pem, "signs_from": key.signs_from}
        for key in keys
    ]
    return json.dumps(entries, indent=2).encode()
