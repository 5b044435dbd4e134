"""Databases: empty and migrated, on SQLite and on MySQL."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import Engine, NullPool, create_engine, event, text

from app import create_app
from app.config import Config
from app.core.migrations import bind_flask_migrate
from tests.support.environment import free_port, missing, wait_until


def without_fsync(engine: Engine) -> Engine:
    """Let an engine for SQLite commit without waiting for the disk: no test cuts the power."""

    def set_up(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", set_up)
    return engine


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
            if installer is None:
                missing("mariadb-install-db")
            prepare = [
                installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db",
            ]  # fmt: skip
        else:
            prepare = [program, *common, "--initialize-insecure"]
            common.append("--mysqlx=OFF")
        # One after another: of two processes that began at the same moment, one installer failed.
        with (Path(tempfile.gettempdir()) / "loguserapp-tests.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(prepare, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
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
        assert self._process is not None, "it was never started"
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
        return str(request.getfixturevalue("sqlite_url"))
    url = str(request.getfixturevalue("mysql_migrated"))
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


@lru_cache(maxsize=16)
def _engine_beside(url: str) -> Engine:
    """An engine that keeps no connection, for what a test does beside the service."""
    return without_fsync(create_engine(url, poolclass=NullPool))


def execute(url: str, *statements: str) -> None:
    with _engine_beside(url).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def select(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows that a query finds, as somebody beside the service sees them."""
    with _engine_beside(url).connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def empty_tables(url: str) -> None:
    tables = ("session", "user", "counter", "lease", "one_time")
    execute(url, *(f"DELETE FROM {table}" for table in tables))


def stored_rows(url: str) -> int:
    """How many rows the service keeps, accounts and sessions together."""
    ((count,),) = select(url, "SELECT (SELECT count(*) FROM user) + (SELECT count(*) FROM session)")
    return int(count)


def make_config(url: str, instance: Path, **settings: Any) -> Config:
    """Settings for a test: bcrypt at its lowest cost, and no limits unless they are the point."""
    cheap: dict[str, Any] = {
        "bcrypt_log_rounds": 4, "testing": True, "workers": 1, "ratelimit_enabled": False
    }  # fmt: skip
    return Config(**(cheap | {"database_url": url, "instance_path": instance} | settings))


def _answers(url: str) -> bool:
    try:
        execute(f"{url}/", "SELECT 1")
    except Exception:  # noqa: BLE001 - whatever it is, the server is not there yet
        return False
    return True


def _which(program: str) -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(program, path=path)
