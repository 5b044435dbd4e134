"""What every test may ask for: a database, an application on it, a client, a real server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from app import create_app
from app.config import Config
from app.extensions import db
from app.upgrade import bind_flask_migrate


class Compiled(BytecodeCache):
    """Templates, compiled once for all the applications of a run."""

    def __init__(self) -> None:
        self._code: dict[str, CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.code


ROOT = Path(__file__).parent.parent
CI = os.environ.get("CI") == "true"
DUMMY = {"username": "dummyuser", "email": "dummy@dummy.com", "password": "dummy1234"}
COMPILED = Compiled()
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs real servers and browsers, so that the rules alone can be tested soon."""
    for item in items:
        if "system" in item.path.relative_to(ROOT).parts:
            item.add_marker("system")


def missing(what: str) -> None:
    """Skip a test whose tool is not on this machine; where everything must run, fail it."""
    if CI:
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


# --- databases ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MySQL server, without a database: TEST_DATABASE_URL or one of our own."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given.replace("mysql://", "mysql+pymysql://", 1).rstrip("/")
        return
    with private_mysql(tmp_path_factory.mktemp("mysql")) as server:
        yield server.url


class PrivateMySQL:
    """A server of our own on a temporary folder and a free port, to be stopped and started."""

    def __init__(self, program: str, folder: Path, *, durable: bool) -> None:
        folder.chmod(0o755)
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        user = "root" if os.geteuid() == 0 else ""
        common = [
            "--no-defaults", f"--datadir={folder / 'data'}", *([f"--user={user}"] if user else []),
        ]  # fmt: skip
        version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
        if "mariadb" in version.stdout.lower():
            installer = _which("mariadb-install-db") or _which("mysql_install_db")
            prepare = [
                installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db",
            ]  # fmt: skip
        else:
            prepare = [program, *common, "--initialize-insecure"]
            common.append("--mysqlx=OFF")
        subprocess.run(prepare, check=True, capture_output=True)
        self._start = [
            program, *common, f"--port={self._port}", "--bind-address=127.0.0.1",
            f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}",
            f"--innodb-flush-log-at-trx-commit={int(durable)}", "--sync-binlog=0",
        ]  # fmt: skip
        self.url = f"mysql+pymysql://root@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Run it on the data that is there, and come back when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._start, stderr=log)
        wait_until(lambda: _answers(self.url), "MySQL to start", seconds=60)

    def signal(self, number: signal.Signals) -> None:
        """Kill (SIGKILL), silence (SIGSTOP) or wake (SIGCONT) it."""
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait()


@contextmanager
def private_mysql(folder: Path, *, durable: bool = False) -> Iterator[PrivateMySQL]:
    """Run a MySQL or MariaDB that is found on the PATH; a durable one forgets nothing if killed."""
    program = next(filter(None, map(_which, ("mysqld", "mariadbd"))), None)
    if program is None:
        missing("MySQL (TEST_DATABASE_URL, or mysqld or mariadbd on the PATH)")
    server = PrivateMySQL(program, folder, durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def mysql_migrated(mysql_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One migrated MySQL database for the whole run."""
    with mysql_database(mysql_server) as url:
        migrate_database(url, tmp_path_factory.mktemp("instance"))
        yield url


@pytest.fixture(scope="session")
def sqlite_migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One migrated SQLite file, to be copied."""
    folder = tmp_path_factory.mktemp("sqlite")
    migrate_database(f"sqlite:///{folder / 'template.db'}", folder)
    return folder / "template.db"


@pytest.fixture
def sqlite_url(sqlite_migrated: Path, tmp_path: Path) -> str:
    """An empty, migrated SQLite database."""
    shutil.copy(sqlite_migrated, tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(params=["sqlite", "mysql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty, migrated database: each test runs on SQLite and on MySQL."""
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_url")
    url = request.getfixturevalue("mysql_migrated")
    empty_tables(url)
    return url


@pytest.fixture(params=["sqlite", "mysql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.db'}"
        return
    with mysql_database(request.getfixturevalue("mysql_server")) as url:
        yield url


@contextmanager
def mysql_database(server: str) -> Iterator[str]:
    """A MySQL database of this name's own, dropped afterwards."""
    name = f"loguserapp_test_{os.getpid()}_{time.monotonic_ns()}"
    execute(f"{server}/", f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield f"{server}/{name}"
    finally:
        execute(f"{server}/", f"DROP DATABASE {name}")


def migrate_database(url: str, instance: Path, **options: Any) -> None:
    app = create_app(make_config(url, instance))
    bind_flask_migrate(app)
    with app.app_context():
        upgrade(**options)


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def select(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows that a query finds, as somebody beside the service sees them."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return rows


def empty_tables(url: str) -> None:
    tables = ("session", "user", "counter", "lease")
    execute(url, *(f"DELETE FROM {table}" for table in tables))


def stored_rows(url: str) -> int:
    """How many rows the service keeps, accounts and sessions together."""
    return sum(select(url, f"SELECT count(*) FROM {table}")[0][0] for table in ("user", "session"))


# --- the application ---------------------------------------------------------------------------


def make_config(url: str, instance: Path, **settings: Any) -> Config:
    """Settings for a test: bcrypt at its lowest cost, and no limits unless they are the point."""
    cheap = {
        "bcrypt_log_rounds": 4, "testing": True, "workers": 1, "ratelimit_enabled": False
    }  # fmt: skip
    return Config(**({"database_url": url, "instance_path": instance} | cheap | settings))


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Make applications on the test's database; each is closed afterwards."""
    apps = []

    def make(**settings: Any) -> Flask:
        app = create_app(make_config(database_url, tmp_path / "instance", **settings))
        app.jinja_env.bytecode_cache = COMPILED
        apps.append(app)
        return app

    yield make
    for app in apps:
        close(app)


def close(app: Flask) -> None:
    app.extensions["revocations"].stop()
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
    return answer.get_json()


def assert_problem(answer: TestResponse, status: int, code: str, *fields: str) -> None:
    """An answer is this problem, about these fields and no others."""
    assert answer.content_type == "application/problem+json", answer.text
    body = answer.get_json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert set(body.get("errors", {})) == set(fields), body


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- a real server -----------------------------------------------------------------------------


@dataclass
class Server:
    """A service as `make run` starts it."""

    url: str
    process: subprocess.Popen[str]
    instance: Path
    log: Path


@contextmanager
def run_server(
    folder: Path, database_url: str, instance: Path | None = None, **environment: str
) -> Iterator[Server]:
    """Start a service as `make run` does, and stop it."""
    port = free_port()
    instance = instance or folder / "served"
    log = folder / f"server-{port}.log"
    settings = {
        "DATABASE_URL": database_url, "INSTANCE_PATH": str(instance), "PORT": str(port),
        "BCRYPT_LOG_ROUNDS": "10", "WORKERS": "2", "RATELIMIT_ENABLED": "false",
    }  # fmt: skip
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.server"],
            cwd=ROOT, env=clean_environment() | settings | environment,
            stdout=output, stderr=output, text=True,
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}", process, instance, log)
    try:
        wait_until(
            lambda: process.poll() is not None or _healthy(server.url), "the server to start"
        )
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., AbstractContextManager[Server]]:
    """Start services as `make run` does: serve(database_url, WORKERS="2", …)."""
    return partial(run_server, tmp_path)


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of the service."""
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], Any], what: str, seconds: float = 30) -> None:
    """Look every few milliseconds until something holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        execute(f"{url}/", "SELECT 1")
    except Exception:  # noqa: BLE001 - whatever it is, the server is not there yet
        return False
    return True


def _which(program: str) -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(program, path=path)
