"""The keyring: published before it signs, verifying until the last token has expired."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey

from app.sessions.keys import Key, Keyring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "instance" / "keyring.json"


def kids(ring: Keyring) -> list[str]:
    return [key["kid"] for key in ring.jwks()["keys"]]


def test_the_first_key_is_made_once_and_for_the_owner_alone(path: Path) -> None:
    rings: list[Keyring] = []
    together = threading.Barrier(8)

    def open_ring() -> None:
        together.wait()
        rings.append(Keyring(path, 900))

    threads = [threading.Thread(target=open_ring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ring.current().kid for ring in rings}) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["keyring.json"]


def test_a_new_key_is_published_before_it_signs(path: Path) -> None:
    ring = Keyring(path, 900)
    old = ring.current().kid
    new = ring.rotate(publish_seconds=600).kid
    assert ring.current().kid == old
    assert kids(ring) == [old, new]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_old_key_verifies_until_its_last_token_has_expired(path: Path) -> None:
    patient, hasty = Keyring(path, token_life=900), Keyring(path, token_life=0)
    old = patient.current().kid
    new = patient.rotate(publish_seconds=0).kid
    assert patient.current().kid == new
    assert kids(patient) == [old, new]
    assert hasty.find(new) is not None
    assert kids(hasty) == [new]


def test_another_worker_finds_a_new_key_at_once(path: Path) -> None:
    ring, other = Keyring(path, 900), Keyring(path, 900)
    new = ring.rotate(publish_seconds=0)
    found = other.find(new.kid)
    assert found is not None
    assert found.public_jwk == new.public_jwk


def test_a_retired_key_is_gone_at_once(path: Path) -> None:
    ring = Keyring(path, 900)
    old = ring.current().kid
    new = ring.rotate(publish_seconds=600).kid
    ring.retire(old)
    assert kids(ring) == [new]
    assert ring.current().kid == new
    assert ring.find(old) is None


def test_the_only_key_stays(path: Path) -> None:
    ring = Keyring(path, 900)
    with pytest.raises(ValueError, match=ring.current().kid):
        ring.retire(ring.current().kid)
    with pytest.raises(KeyError):
        ring.retire("unknown")


@pytest.mark.parametrize("kid", ["", "../keyring.json", "/etc/passwd", "' OR 1=1", "\0"])
def test_a_name_is_looked_for_in_the_keyring_alone(path: Path, kid: str) -> None:
    assert Keyring(path, 900).find(kid) is None


def test_a_key_goes_by_its_thumbprint(path: Path) -> None:
    (published,) = Keyring(path, 900).jwks()["keys"]
    members = {name: published[name] for name in ("kty", "crv", "x", "y")}
    assert published == members | {
        "kid": ECKey.import_key(members).thumbprint(), "use": "sig", "alg": "ES256",
    }  # fmt: skip


def test_a_coordinate_that_begins_with_zeros_is_published_whole() -> None:
    """RFC 7518 §6.2.1.2: 32 bytes, always."""
    private = ec.derive_private_key(379, ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    published = Key("", pem, 0).public_jwk
    assert published["x"] == "AFVDiUrz0A7X10Cr29dclrBod7eH219w7qeLkKjXwAo"
    assert published["y"] == "u0yFo9jqKe-q-iRAaRLdhNWxTcMr9lbvbGvVil2UP5I"
