"""The typed state of an application: one object for each, under one key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from app.config import settings
from app.services import Service
from app.sessions.keys import keyring

SECRET = "0123456789abcdef0123456789abcdef"

answer = Service[int]("answer")


def test_each_application_has_its_own() -> None:
    one, other = Flask("one"), Flask("other")
    answer.bind(one, 1)
    answer.bind(other, 2)
    assert (answer.of(one), answer.of(other)) == (1, 2)
    with other.app_context():
        assert answer() == 2


def test_equal_names_are_different_services() -> None:
    app, namesake = Flask("app"), Service[int]("answer")
    answer.bind(app, 1)
    namesake.bind(app, 2)
    assert (answer.of(app), namesake.of(app)) == (1, 2)


def test_one_that_is_not_bound_is_named() -> None:
    with pytest.raises(LookupError, match="app has no answer"):
        answer.of(Flask("app"))


def test_features_get_keys_and_never_the_secret(make_app: Callable[..., Flask]) -> None:
    app = make_app(secret_key=SECRET)
    keys = [held for held in app.extensions["loguserapp"].values() if isinstance(held, bytes)]
    assert len({*keys, app.secret_key}) == len(keys) + 1 >= 3
    assert SECRET.encode() not in {*keys, app.secret_key}
    assert settings.of(app).secret_key == ""
    assert keyring.of(app).current()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url
