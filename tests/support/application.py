"""The application on the database of a test, a client of it, and what its answers are."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.sessions.revocation import revocation_list
from app.web.logs.throttle import RepeatFilter
from tests.support.databases import make_config, without_fsync
from tests.support.described import assert_described


class Compiled(BytecodeCache):
    """Templates, compiled once for all the applications of a run."""

    def __init__(self) -> None:
        self._code: dict[str, CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.code = self._code[bucket.key]

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key] = bucket.code


def _once_for_each_rule(compile_rule: Callable[[Rule], None]) -> Callable[[Rule], None]:
    """Compile each rule of addresses for the first application of a run alone.

    That is most of what making an application costs, and depends on the rule only: its parts, and
    the functions that build its addresses, which take the rule as an argument.
    """
    compiled: dict[tuple[object, ...], dict[str, Any]] = {}

    def compile_once(rule: Rule) -> None:
        key = (rule.rule, repr(rule.defaults), rule.subdomain, rule.host, rule.merge_slashes)
        if key not in compiled:
            compile_rule(rule)
            found = {name: vars(rule)[name] for name in ("_parts", "_trace", "_converters")}
            builders = {n: vars(rule)[n].__func__ for n in ("_build", "_build_unknown")}
            compiled[key] = found | {"arguments": rule.arguments, "builders": builders}
        whole = dict(compiled[key])
        builders = whole.pop("builders")
        vars(rule).update(whole)
        vars(rule).update({name: made.__get__(rule, None) for name, made in builders.items()})

    return compile_once


Rule.compile = _once_for_each_rule(Rule.compile)  # type: ignore[assignment, method-assign]
DUMMY = {"username": "dummyuser", "email": "dummy@dummy.com", "password": "dummy1234"}
COMPILED = Compiled()
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def build_app(url: str, instance: Path, **settings: Any) -> Flask:
    """An application on a database that refuses as described."""
    app = create_app(make_config(url, instance, **settings))
    app.jinja_env.bytecode_cache = COMPILED
    app.after_request(assert_described)
    with app.app_context():
        without_fsync(db.engine)
    return app


@pytest.fixture(scope="session")
def started_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder with the secret and the key of a first start, to be copied."""
    folder = tmp_path_factory.mktemp("started") / "instance"
    close(create_app(make_config(f"sqlite:///{folder}/none.db", folder)))
    return folder


@pytest.fixture
def make_app(
    database_url: str, started_instance: Path, tmp_path: Path
) -> Iterator[Callable[..., Flask]]:
    """Make applications on the test's database and in its instance folder; each is closed."""
    apps = []
    shutil.copytree(started_instance, tmp_path / "instance")

    def make(**settings: Any) -> Flask:
        apps.append(build_app(database_url, tmp_path / "instance", **settings))
        return apps[-1]

    yield make
    for app in apps:
        close(app)


class SharedApps:
    """Applications that tests share, one for each group of settings: no test changes their data.

    DUMMY has an account and a login in each.
    """

    def __init__(self, database: Path, instance: Path, folder: Path) -> None:
        self._database, self._instance, self._folder = database, instance, folder
        self._apps: dict[str, tuple[Flask, dict[str, Any], sqlite3.Connection]] = {}

    def get(self, **settings: Any) -> Flask:
        return self._of(settings)[0]

    def tokens(self, **settings: Any) -> dict[str, Any]:
        """What DUMMY's login answered."""
        return self._of(settings)[1]

    def versions(self) -> dict[str, int]:
        """A number for the data of each application, another one after each change."""
        query = "PRAGMA data_version"
        return {
            key: beside.execute(query).fetchone()[0] for key, (*_, beside) in self._apps.items()
        }

    def close(self) -> None:
        for app, _, beside in self._apps.values():
            beside.close()
            close(app)

    def _of(self, settings: dict[str, Any]) -> tuple[Flask, dict[str, Any], sqlite3.Connection]:
        key = repr(sorted(settings.items()))
        if key not in self._apps:
            folder = self._folder / str(len(self._apps))
            folder.mkdir()
            file = shutil.copy(self._database, folder / "test.db")
            shutil.copytree(self._instance, folder / "instance")
            app = build_app(f"sqlite:///{file}", folder / "instance", **settings)
            client = app.test_client()
            assert client.post("/register", json=DUMMY).status_code == 201
            answer = client.post("/login", json=DUMMY).get_json()
            self._apps[key] = (app, answer, sqlite3.connect(file))
        return self._apps[key]


@pytest.fixture(scope="session")
def _shared_apps(
    sqlite_migrated: Path, started_instance: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedApps]:
    shared = SharedApps(sqlite_migrated, started_instance, tmp_path_factory.mktemp("shared"))
    yield shared
    shared.close()


@pytest.fixture
def shared_apps(_shared_apps: SharedApps) -> Iterator[SharedApps]:
    """Shared applications, for a test that changes nothing; one that does fails."""
    before = _shared_apps.versions()
    yield _shared_apps
    after = _shared_apps.versions()
    assert {key: after[key] for key in before} == before, "a test that writes takes make_app"


@pytest.fixture
def shared_app(shared_apps: SharedApps) -> Flask:
    return shared_apps.get()


@pytest.fixture
def shared_client(shared_app: Flask) -> FlaskClient:
    """A client without cookies of an application that is shared."""
    return shared_app.test_client()


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """Take down the log that a test's application set up: it writes to that test's stderr.

    So no test's refusals are counted with another's either.
    """
    yield
    for name in ("loguserapp", "app"):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            for each in handler.filters:
                if isinstance(each, RepeatFilter):
                    each.stop()
            logger.removeHandler(handler)
            handler.close()


def close(app: Flask) -> None:
    revocation_list.of(app).stop()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def dummy(client: FlaskClient) -> dict[str, str]:
    """The assignment's account, registered."""
    answer = client.post("/register", data=DUMMY)
    assert answer.status_code == 201, answer.text
    return DUMMY


@pytest.fixture
def tokens(client: FlaskClient, dummy: dict[str, str]) -> dict[str, Any]:
    """What logging in answers."""
    answer = client.post("/login", data=dummy)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def assert_problem(answer: TestResponse, status: int, code: str, *fields: str) -> None:
    """An answer is this problem, about these fields and no others."""
    assert answer.content_type == "application/problem+json", answer.text
    body = answer.get_json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert set(body.get("errors", {})) == set(fields), body


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
