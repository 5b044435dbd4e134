"""Real servers, as `make run` starts them."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.support.environment import ROOT, clean_environment, free_port, wait_until


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
    """Start a service as `make run` does, and stop it; on a port of its own unless PORT says so."""
    port = int(environment.get("PORT") or free_port())
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
            lambda: process.poll() is not None or is_healthy(server.url), "the server to start"
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


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
            found: bool = answer.status == 200
            return found
    except OSError:
        return False
