"""Secrets that count once: for one purpose and account, for their time, kept as a hash."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from app.accounts import registration
from app.core import one_time
from app.core.errors import UnknownCodeError
from app.core.one_time import Consumed
from app.extensions import db
from app.models import OneTime, utcnow
from tests.support.databases import select

PURPOSE, OTHER = one_time.LOGIN_CODE, "another_purpose"


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def people() -> tuple[int, int]:
    """Two accounts."""
    one, other = (
        registration.register(name, f"{name}@example.com", "correct horse").id
        for name in ("sari", "budi")
    )
    return one, other


def issue(user_id: int, purpose: str = PURPOSE, subject: str = "", seconds: int = 60) -> str:
    secret = one_time.issue(purpose, user_id, seconds, epoch=3, subject=subject, challenge="c")
    db.session.commit()
    return secret


def still_good(*secrets: tuple[str, str]) -> list[bool]:
    """Which of these secrets, each with its purpose, can be used."""
    found = []
    for purpose, secret in secrets:
        try:
            found.append(one_time.consume(purpose, secret) is not None)
        except UnknownCodeError:
            found.append(False)
    return found


def test_it_counts_once_and_says_what_it_stood_for(people: tuple[int, int]) -> None:
    secret = issue(people[0], subject="sari@example.com")
    assert one_time.consume(PURPOSE, secret) == Consumed(people[0], "sari@example.com", 3, "c")
    with pytest.raises(UnknownCodeError):
        one_time.consume(PURPOSE, secret)


def test_it_is_256_bits_of_which_the_table_has_a_hash(
    people: tuple[int, int], database_url: str
) -> None:
    secrets = [issue(people[0]) for _ in range(2)]
    assert [len(urlsafe_b64decode(f"{secret}=")) for secret in secrets] == [32, 32]
    stored = str(select(database_url, "SELECT * FROM one_time"))
    assert not any(secret in stored for secret in secrets)


def test_it_is_good_for_its_purpose_alone_and_not_used_up_by_another(
    people: tuple[int, int],
) -> None:
    secret = issue(people[0])
    assert still_good((OTHER, secret), (PURPOSE, f"{secret}x"), (PURPOSE, secret)) == [
        False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(("seconds", "good"), [(59, True), (60, False), (61, False)])
def test_it_ends_on_the_second(
    people: tuple[int, int], monkeypatch: pytest.MonkeyPatch, seconds: int, good: bool
) -> None:
    now = utcnow()
    monkeypatch.setattr(one_time, "utcnow", lambda: now)
    secret = issue(people[0])
    monkeypatch.setattr(one_time, "utcnow", lambda: now + timedelta(seconds=seconds))
    assert still_good((PURPOSE, secret)) == [good]
    assert db.session.query(OneTime).count() == 0, "an expired one is used up as well"


def test_revoking_ends_those_of_one_account_and_purpose(people: tuple[int, int]) -> None:
    one, other = people
    secrets = [(PURPOSE, issue(one)), (PURPOSE, issue(one, subject="a")),
               (OTHER, issue(one, OTHER)), (PURPOSE, issue(other))]  # fmt: skip
    one_time.revoke(PURPOSE, one)
    db.session.commit()
    assert still_good(*secrets) == [False, False, True, True]


def test_revoking_may_be_for_one_subject(people: tuple[int, int]) -> None:
    secrets = [(PURPOSE, issue(people[0], subject=subject)) for subject in ("", "a", "b")]
    one_time.revoke(PURPOSE, people[0], subject="a")
    db.session.commit()
    assert still_good(*secrets) == [True, False, True]


def test_a_secret_of_another_installation_is_unknown(people: tuple[int, int], app: Flask) -> None:
    secret = issue(people[0])
    one_time.init_app(app, b"another key")
    with pytest.raises(UnknownCodeError):
        one_time.consume(PURPOSE, secret)
