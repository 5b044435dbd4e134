"""The keyring: published before it signs, verifying until the last token has expired."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from app.accounts.keys import Keyring


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
