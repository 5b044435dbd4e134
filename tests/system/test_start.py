"""The server starts, says in one line why it does not, and ends at a signal."""

from __future__ import annotations

import json
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

from app.core.networks import network
from tests.support.application import DUMMY
from tests.support.environment import ROOT, clean_environment, free_port, missing, wait_until
from tests.support.http import Connection, once
from tests.support.servers import run_server

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
     ({"INSTANCE_PATH": "/dev/null/instance"}, "INSTANCE_PATH /dev/null")],
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


def test_every_start_prints_the_address_and_where_mails_are(tmp_path: Path) -> None:
    for _ in ("first", "later"):
        with run_server(tmp_path, f"sqlite:///{tmp_path / 'a.db'}") as server:
            assert server.log.read_text() == (
                f"loguserapp: open {server.url}\n"
                f"loguserapp: no SMTP_HOST: mails are files in {server.instance / 'outbox'}, "
                f"shown at {server.url}/outbox\n"
            )


def test_a_start_with_a_mail_server_says_nothing_of_mails(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with run_server(tmp_path, url, SMTP_HOST="localhost", MAIL_FROM="login@example.com") as server:
        assert server.log.read_text() == f"loguserapp: open {server.url}\n"


def test_plain_http_to_the_outside_is_warned_of(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with run_server(tmp_path, url, HOST="0.0.0.0") as server:
        _, mails, warning = server.log.read_text().splitlines()
        assert mails.endswith("outbox")  # nobody is told of a page that is not there
        assert "HOST 0.0.0.0" in warning
        assert "PUBLIC_URL" in warning
    with run_server(tmp_path, url, HOST="0.0.0.0", PUBLIC_URL="https://a.example") as server:
        _, mails = server.log.read_text().splitlines()
        assert mails.endswith("outbox")


def test_mails_that_nobody_gets_are_warned_of(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    there = "https://a.example"
    with run_server(tmp_path, url, PUBLIC_URL=there, EMAIL_VERIFICATION="required") as server:
        *_, warning = server.log.read_text().splitlines()
        assert "EMAIL_VERIFICATION" in warning
        assert "SMTP_HOST" in warning


def test_a_proxy_is_told_which_headers_to_drop(tmp_path: Path) -> None:
    with run_server(tmp_path, f"sqlite:///{tmp_path / 'a.db'}", TRUSTED_PROXIES="1") as server:
        _, mails, warning = server.log.read_text().splitlines()
    assert mails.endswith("outbox")
    assert "TRUSTED_PROXIES is 1" in warning
    assert "underscore" in warning


def test_an_ipv4_client_of_an_ipv6_socket_is_known_by_its_ipv4_address(tmp_path: Path) -> None:
    with run_server(tmp_path, f"sqlite:///{tmp_path / 'a.db'}", HOST="::") as server:
        once(server.url, "POST", "/login", username="nobody", password="wrong password")
        (line,) = (line for line in server.log.read_text().splitlines() if '"login.failed"' in line)
    assert network(json.loads(line)["address"]) == "127.0.0.1"


def test_what_is_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    url, instance = f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "made" / "instance"
    name = {"PUBLIC_URL": "http://127.0.0.1:5000"}  # of which its tokens speak, at any port
    with run_server(tmp_path, url, instance, **name) as first:
        assert once(first.url, "POST", "/register", **DUMMY).status == 201
        token = once(first.url, "POST", "/login", **DUMMY).json()["access_token"]
    assert instance.stat().st_mode & 0o777 == 0o700
    files = [path for path in instance.iterdir() if path.is_file()]  # and perhaps a mail already
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in files}
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


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is bound to a core elsewhere")
@pytest.mark.parametrize("more", [0, 1])
def test_workers_keep_to_a_core_each_where_there_is_one_for_each(tmp_path: Path, more: int) -> None:
    cores = os.sched_getaffinity(0)
    url, workers = f"sqlite:///{tmp_path / 'a.db'}", str(len(cores) + more)
    with run_server(tmp_path, url, None, WORKERS=workers) as server:
        bound = [os.sched_getaffinity(worker) for worker in _children(server.process.pid)]
    own = [{core} for core in sorted(cores)]
    assert sorted(bound, key=min) == ([cores] * len(bound) if more else own)


def test_a_worker_that_ends_before_the_server_does_is_not_started_again(tmp_path: Path) -> None:
    """As when a signal from the terminal reaches all of them, and the workers are quicker."""
    url, proxy = f"sqlite:///{tmp_path / 'a.db'}", {"TRUSTED_PROXIES": "1"}
    with run_server(tmp_path, url, None, WORKERS="1", **proxy) as server:
        main, port = server.process.pid, int(server.url.rpartition(":")[2])
        (worker,) = _children(main)
        server.process.terminate()
        wait_until(lambda: _listeners(port) == 2, "the server to refuse new connections")
        os.kill(worker, signal.SIGKILL)
        seen: set[int] = set()
        while server.process.poll() is None:
            seen |= _children(main)
    assert seen <= {worker}


def _children(process: int) -> set[int]:
    try:
        return set(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))
    except (FileNotFoundError, ProcessLookupError):
        return set()


def _listeners(port: int) -> int:
    """How many sockets listen on a port of 127.0.0.1."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return sum(f" 0100007F:{port:04X} 00000000:0000 0A " in line for line in lines)


def _group_lives(group: int) -> bool:
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    return any(re.search(rf"\) [^ZX] \d+ {group} ", stat) for stat in stats)
