"""The machine that the tests run on: its tools, its ports, its time."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).parents[2]
CI = os.environ.get("CI") == "true"


def missing(what: str) -> NoReturn:
    """Skip a test whose tool is not on this machine; where everything must run, fail it."""
    if CI:
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of the service."""
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def docker_or_missing() -> None:
    """Go on where a Docker Engine runs."""
    if shutil.which("docker") is None:
        missing("Docker with Compose")
    if subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        missing("a running Docker Engine")


def wait_until(true: Callable[[], Any], what: str, seconds: float = 30) -> None:
    """Look every few milliseconds until something holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def copy_program(folder: Path) -> Path:
    """What the image is made of, in a folder of the test's own, where nothing has started yet."""
    beside = shutil.ignore_patterns("__pycache__", "swagger-ui")
    for name in ("app", "migrations"):
        shutil.copytree(ROOT / name, folder / name, ignore=beside)
    for name in ("loguserapp", "wsgi.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def environment_of_program(**settings: str) -> dict[str, str]:
    """These settings and no others, this interpreter's `flask`, and no byte code beside files."""
    found = clean_environment()
    path = f"{Path(sys.executable).parent}{os.pathsep}{found['PATH']}"
    return found | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | settings
