"""A production stack of the test's own: another project name, another port, a copy of the files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.environment import ROOT, free_port

FILES = ("Dockerfile", ".dockerignore", "docker-compose.yml", "nginx.conf", "deploy", "app",
         "migrations", "wsgi.py", "loguserapp", "requirements.txt", "Makefile")  # fmt: skip
OWNER = ("mysql", "--defaults-extra-file=/run/secrets/owner.cnf", "-BN")


class Stack:
    """One stack; `url` is where nginx answers."""

    def __init__(self, folder: Path, name: str, **settings: str) -> None:
        self.folder, self.name, self.port = folder, name, free_port()
        self.url = f"http://localhost:{self.port}"
        self.environment = {
            key: value for key, value in os.environ.items()
            if key in {"PATH", "HOME"} or key.startswith(("DOCKER_", "BUILDX_"))
        } | {
            "COMPOSE_PROJECT_NAME": name,
            "HTTP_PORT": f"127.0.0.1:{self.port}",
            "PUBLIC_URL": self.url,
        } | settings  # fmt: skip

    def run(
        self,
        *command: str,
        check: bool = True,
        more: Mapping[str, str] | None = None,
        seconds: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the stack's folder, as an operator would, with more environment."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | dict(more or {}),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        if check and done.returncode:
            logs = self.compose("logs", "--tail", "15", check=False).stdout
            raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}\n{logs}")
        return done

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("docker", "compose", *arguments, check=check)

    def up(self) -> None:
        self.compose("up", "-d", "--wait")

    def sql(self, statement: str) -> list[str]:
        """Ask the database as the owner of the tables."""
        return self.compose(
            "exec", "-T", "mysql", *OWNER, "-e", statement, "loguserapp"
        ).stdout.split("\n")[:-1]

    def as_root(self, statement: str) -> list[str]:
        """Ask the database as root, whose password nothing in the stack uses."""
        read = ("run", "--rm", "-T", "secrets", "cat", "/secrets/made/root")
        password = self.compose(*read).stdout.strip()
        return self.compose(
            "exec",
            "-T",
            "-e",
            f"MYSQL_PWD={password}",
            "mysql",
            "mysql",
            "-uroot",
            "-BNe",
            statement,
        ).stdout.split("\n")[:-1]

    def ids(self, service: str) -> list[str]:
        """The containers that run for a service, or for all of them."""
        return self.compose("ps", "-q", *filter(None, [service])).stdout.split()

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("docker", "inspect", container).stdout)[0]
        return found

    def kill(self, container: str) -> None:
        """SIGKILL the service itself, as the kernel would: Docker was not asked to stop it."""
        pid = self.inspect(container)["State"]["Pid"]
        self.run(
            "docker", "run", "--rm", "--pid=host", "--network=none", "python:3.14-slim",
            "python", "-c", f"import os; os.kill({pid}, 9)",
        )  # fmt: skip

    def down(self) -> None:
        """Leave nothing: no container, network or volume."""
        self.compose("--profile", "*", "down", "-v", "-t", "2", "--remove-orphans", check=False)


def copy_files(folder: Path) -> Path:
    """The files that the stack is made of, for a test to change."""
    for name in FILES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "tls")
            )
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder
