"""Settings: each is read, checked and named when it is wrong; and the server starts and stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.config import Config, ConfigError
from tests.conftest import (
    DUMMY,
    ROOT,
    clean_environment,
    free_port,
    missing,
    run_server,
    wait_until,
)
from tests.http import Connection, once

SECRET = "3zJ0wq8Lr5Vt1xYb7Nc9Kd2Mf4Gh6Ps0"

GOOD = {
    "DATABASE_URL": ("mysql://u:p@db:3307/logins", "mysql+pymysql://u:p@db:3307/logins"),
    "INSTANCE_PATH": ("/srv/instance", Path("/srv/instance")),
    "HOST": ("0.0.0.0", "0.0.0.0"),
    "PORT": ("8000", 8000),
    "WORKERS": ("3", 3),
    "THREADS": ("5", 5),
    "PUBLIC_URL": ("https://login.example.com/", "https://login.example.com"),
    "TRUSTED_PROXIES": ("1", 1),
    "SECRET_KEY": (SECRET, SECRET),
    "ACCESS_TOKEN_TTL": ("60", 60),
    "REFRESH_TOKEN_TTL": ("61", 61),
    "SESSION_MAX_AGE": ("62", 62),
    "BCRYPT_LOG_ROUNDS": ("13", 13),
}
EACH = pytest.mark.parametrize(("name", "text", "value"), [(n, *v) for n, v in GOOD.items()])


@EACH
def test_a_setting_comes_from_its_variable(name: str, text: str, value: Any) -> None:
    assert getattr(Config.from_environment({name: text}), name.lower()) == value


@EACH
def test_a_setting_comes_from_the_file_that_is_named(
    tmp_path: Path, name: str, text: str, value: Any
) -> None:
    (tmp_path / "value").write_text(f"{text}\n")
    config = Config.from_environment({f"{name}_FILE": str(tmp_path / "value")})
    assert getattr(config, name.lower()) == value


@pytest.mark.parametrize("name", GOOD)
def test_every_setting_that_the_contract_names_is_there(name: str) -> None:
    assert name.lower() in Config.__dataclass_fields__


def test_without_settings_it_runs_for_one_person_on_one_machine(tmp_path: Path) -> None:
    config = Config.from_environment({"INSTANCE_PATH": str(tmp_path)})
    assert config.database_url == f"sqlite:///{tmp_path / 'loguserapp.db'}"
    assert (config.host, config.port, config.public_url) == (
        "127.0.0.1", 5000, "http://127.0.0.1:5000",
    )  # fmt: skip
    assert (config.threads, config.trusted_proxies, config.bcrypt_log_rounds) == (16, 0, 12)
    lives = (config.access_token_ttl, config.refresh_token_ttl, config.session_max_age)
    assert lives == (900, 1_209_600, 7_776_000)
    assert config.workers == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    "environment",
    [
        {"PORT": "eighty"}, {"PORT": "0"}, {"PORT": "65536"}, {"PORT": "-1"}, {"PORT": "80.5"},
        {"PORT": " 80"}, {"PORT": "²"}, {"PORT": "٣"}, {"WORKERS": "0"}, {"THREADS": "many"},
        {"TRUSTED_PROXIES": "-1"}, {"TRUSTED_PROXIES": "true"}, {"ACCESS_TOKEN_TTL": "0"},
        {"REFRESH_TOKEN_TTL": "1h"}, {"SESSION_MAX_AGE": "1e6"}, {"BCRYPT_LOG_ROUNDS": "9"},
        {"BCRYPT_LOG_ROUNDS": "31"}, {"DATABASE_URL": "loguserapp"}, {"DATABASE_URL": "mysql://db"},
        {"DATABASE_URL": "postgresql://db/a"}, {"DATABASE_URL": "mysql://db:port/a"},
        {"PUBLIC_URL": "login.example.com"}, {"PUBLIC_URL": "ftp://e.com"}, {"PUBLIC_URL": "http://"},
        {"PUBLIC_URL": "http://e.com/path"}, {"PUBLIC_URL": "http://u:p@e.com"},
        {"PUBLIC_URL": "http://e.com:x"}, {"PUBLIC_URL": "http://e.com?a"}, {"PUBLIC_URL": "http://["},
        {"SECRET_KEY": "too short"}, {"SECRET_KEY": SECRET[:31]}, {"SECRET_KEY": "a" * 64},
        {"SECRET_KEY": "changeme" * 8}, {"SECRET_KEY": "12" * 32},
        *({name: ""} for name in GOOD), *({name: " "} for name in GOOD),
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_setting_is_named(environment: dict[str, str]) -> None:
    ((name, value),) = environment.items()
    with pytest.raises(ConfigError) as refused:
        Config.from_environment(environment)
    message = str(refused.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert name != "SECRET_KEY" or not value.strip() or value not in message


@pytest.mark.parametrize(
    "typo",
    [
        "DATABASE_ULR", "DATABSE_URL", "INSTANCE_PTH", "WORKER", "THREAD", "PUBLICURL", "SECRETKEY",
        "SECRET_KEY_FLIE", "TRUSTED_PROXY", "ACCESS_TOKEN_LIFE", "REFRESH_TOKEN_TLL",
        "SESSION_MAX_AGES", "BCRYPT_ROUNDS", "BCRYPT_LOG_ROUND",
    ],
)  # fmt: skip
def test_a_setting_that_does_not_exist_is_named(typo: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{typo} is not a setting"):
        Config.from_environment({typo: "1"})


def test_other_programs_variables_do_not_matter() -> None:
    others = "PATH HOME HOSTNAME LANG TERM USER SHELL PWD PYTHONPATH GOOGLE_API_KEY MYSQL_HOST CI"
    assert Config.from_environment(dict.fromkeys(others.split(), "1")).port == 5000


@pytest.mark.parametrize("name", GOOD)
def test_a_setting_given_twice_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "value").write_text(GOOD[name][0])
    both = {name: GOOD[name][0], f"{name}_FILE": str(tmp_path / "value")}
    with pytest.raises(ConfigError, match=rf"^{name} and {name}_FILE are both set"):
        Config.from_environment(both)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"", b"\n"])
def test_a_file_that_says_nothing_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "value").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^SECRET_KEY"):
        Config.from_environment({"SECRET_KEY_FILE": str(tmp_path / "value")})


def test_secrets_do_not_show_in_a_trace() -> None:
    assert SECRET not in repr(Config.from_environment({"SECRET_KEY": SECRET}))


# --- a start that fails ------------------------------------------------------------------------


@pytest.fixture
def port() -> Iterator[int]:
    """A port that somebody else uses."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def start(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"INSTANCE_PATH": str(folder / "instance"), "PORT": str(free_port())}
    return subprocess.run(
        [sys.executable, "-m", "app.server"], check=False, capture_output=True, text=True,
        cwd=ROOT, timeout=30, env=clean_environment() | settings | environment,
    )  # fmt: skip


def assert_one_line(failed: subprocess.CompletedProcess[str], *words: str) -> None:
    assert failed.returncode not in {0, None}
    assert failed.stdout == ""
    (line,) = failed.stderr.splitlines()
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("environment", "word"),
    [({"PORT": "eighty"}, "PORT"), ({"SECRET_KEY": "too short"}, "SECRET_KEY"),
     ({"DATABASE_ULR": "sqlite://"}, "DATABASE_URL"), ({"HOST": "203.0.113.1"}, "HOST"),
     ({"DATABASE_URL": "sqlite:////nowhere/at/all.db"}, "DATABASE_URL"),
     ({"INSTANCE_PATH": "/dev/null/instance"}, "/dev/null")],
    ids=str,
)  # fmt: skip
def test_a_bad_setting_stops_the_start_with_one_line(
    tmp_path: Path, environment: dict[str, str], word: str
) -> None:
    assert_one_line(start(tmp_path, **environment), "loguserapp: ", word)


def test_a_busy_port_stops_the_start_with_one_line(tmp_path: Path, port: int) -> None:
    assert_one_line(start(tmp_path, PORT=str(port)), f"port {port} is in use", f"PORT={port + 1}")


def test_an_absent_database_stops_the_start_with_one_line(tmp_path: Path) -> None:
    url = f"mysql://root:secret-password@127.0.0.1:{free_port()}/loguserapp"
    failed = start(tmp_path, DATABASE_URL=url)
    assert_one_line(failed, "DATABASE_URL")
    assert "secret-password" not in failed.stderr


def test_a_file_that_is_no_database_stops_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("this is no database, however long one reads in it" * 100)
    assert_one_line(start(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'a.db'}"), "DATABASE_URL")


@pytest.mark.parametrize("content", ["", "a" * 64])
def test_a_damaged_secret_stops_the_start_with_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "secret_key").write_text(content)
    assert_one_line(start(tmp_path), "secret_key")


@pytest.mark.parametrize("content", ["", "[]", '[{"kid": "a"}]'])
def test_a_damaged_keyring_stops_the_start_with_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "keyring.json").write_text(content)
    assert_one_line(start(tmp_path), "keyring.json")


# --- a start that succeeds -----------------------------------------------------------------------


def test_every_start_prints_the_address(tmp_path: Path) -> None:
    for _ in ("first", "later"):
        with run_server(tmp_path, f"sqlite:///{tmp_path / 'a.db'}") as server:
            assert server.log.read_text() == f"loguserapp: open {server.url}\n"


def test_what_is_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    url, instance = f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "made" / "instance"
    name = {"PUBLIC_URL": "http://127.0.0.1:5000"}  # of which its tokens speak, at any port
    with run_server(tmp_path, url, instance, **name) as first:
        assert once(first.url, "POST", "/register", **DUMMY).status == 201
        token = once(first.url, "POST", "/login", **DUMMY).json()["access_token"]
    assert instance.stat().st_mode & 0o777 == 0o700
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in instance.iterdir()}
    assert modes == {"secret_key": "0o600", "keyring.json": "0o600"}
    with run_server(tmp_path, url, instance, **name) as second:
        assert once(second.url, "GET", "/resource", token).status == 200


def test_two_that_start_together_share_one_secret_and_one_database(tmp_path: Path) -> None:
    settings = {"INSTANCE_PATH": str(tmp_path / "instance"), "BCRYPT_LOG_ROUNDS": "10"}
    ports = [free_port(), free_port()]
    servers = [
        subprocess.Popen(
            [sys.executable, "-m", "app.server"], cwd=ROOT, stdout=subprocess.DEVNULL,
            env=clean_environment() | settings
            | {"PORT": str(port), "WORKERS": "1", "PUBLIC_URL": "http://127.0.0.1:5000"},
        )
        for port in ports
    ]  # fmt: skip
    try:
        one, two = (f"http://127.0.0.1:{port}" for port in ports)
        wait_until(lambda: _accepts(ports[0]) and _accepts(ports[1]), "both to start")
        assert once(one, "POST", "/register", **DUMMY).status == 201
        token = once(two, "POST", "/login", **DUMMY).json()["access_token"]
        assert once(one, "GET", "/resource", token).status == 200
        assert once(two, "GET", "/resource", token).status == 200
    finally:
        for server in servers:
            server.terminate()
            server.wait(timeout=30)
    assert [server.returncode for server in servers] == [0, 0]


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- make run ----------------------------------------------------------------------------------


def to_make(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)


def to_the_terminal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    os.killpg(process.pid, number)


@pytest.mark.parametrize(
    ("send", "number"),
    [
        (to_make, signal.SIGTERM),
        (to_the_terminal, signal.SIGTERM),
        (to_the_terminal, signal.SIGINT),
    ],
)
def test_a_signal_ends_make_run_and_leaves_nothing_behind(
    tmp_path: Path, send: Any, number: signal.Signals
) -> None:
    if not (ROOT / ".venv" / "bin" / "python").exists():
        missing("the virtual environment that make sets up")
    port = free_port()
    # One worker, which has answered: one that is still starting is given ten seconds to end.
    settings = {"INSTANCE_PATH": str(tmp_path), "PORT": str(port), "WORKERS": "1"}
    process = subprocess.Popen(
        ["make", "--old-file=.venv/.runtime", "run"], cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment() | settings,
    )  # fmt: skip
    with ExitStack() as stack:
        stack.callback(process.wait, timeout=30)
        stack.callback(process.terminate)
        wait_until(lambda: process.poll() is not None or _accepts(port), "make run to serve")
        idle = stack.enter_context(Connection(f"http://127.0.0.1:{port}"))
        assert idle.send("GET", "/healthz").status == 200
        began = time.monotonic()
        send(process, number)
        output, _ = process.communicate(timeout=30)
        assert time.monotonic() - began < 5
    assert output.splitlines()[0] == f"loguserapp: open http://127.0.0.1:{port}"
    assert "Traceback" not in output
    wait_until(lambda: not _accepts(port), "the workers to end", seconds=5)
    assert not _group_lives(process.pid)


def _group_lives(group: int) -> bool:
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    return any(re.search(rf"\) [^ZX] \d+ {group} ", stat) for stat in stats)
