"""The Next.js example as a front end: served by as many Node.js processes as a test likes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import clean_environment, free_port, wait_until
from tests.support.http import once


@dataclass
class FrontEnd:
    """A Node.js process that serves the example."""

    url: str
    process: subprocess.Popen[str]
    log: Path


@contextmanager
def run_nextjs(folder: Path, port: int, log: Path, **settings: str) -> Iterator[FrontEnd]:
    """Start one process of the built example, and stop it."""
    # The file itself, since npm would pass no signal on.
    program = folder / "node_modules" / "next" / "dist" / "bin" / "next"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["node", str(program), "start", "-p", str(port), "-H", "127.0.0.1"],
            cwd=folder, env=clean_environment() | settings, stdout=output, stderr=output, text=True,
        )  # fmt: skip
    front_end = FrontEnd(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until(lambda: process.poll() is not None or _serves(front_end.url), "Next.js to start")
        assert process.poll() is None, log.read_text()
        yield front_end
    finally:
        process.kill()  # it has nothing to finish, and would wait for connections of browsers
        process.wait(timeout=30)


def _serves(url: str) -> bool:
    try:
        return once(url, "GET", "/icon.svg").status == 200
    except OSError:
        return False


def unused_port() -> str:
    """An address of this machine at which nothing answers."""
    return f"http://127.0.0.1:{free_port()}"
