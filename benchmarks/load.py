"""Load: wrk where it is on the PATH, else locust; and one client that only looks on."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
WRK = shutil.which("wrk")
GENERATOR = "wrk" if WRK else "locust"
LOCUST = HERE.parent / ".venv" / "peers" / "bin" / "locust"


class SilentError(Exception):
    """A server does not answer any more."""


@dataclass(frozen=True)
class Post:
    """What a flood sends; NAME in its body is another name each time."""

    path: str
    body: str
    content_type: str = "application/json"

    def environment(self) -> dict[str, str]:
        kind = "new" if "NAME" in self.body else "same"
        return {
            "BENCH_POST": kind, "BENCH_PATH": self.path, "BENCH_BODY": self.body,
            "BENCH_TYPE": self.content_type, "BENCH_PREFIX": f"n{time.monotonic_ns() % 10**9}x",
        }  # fmt: skip


@dataclass(frozen=True)
class Load:
    """What came of a load: good answers, "come again" (503), anything else; and the time."""

    good: int
    busy: int
    bad: int
    seconds: float
    p99_ms: float = 0.0
    p50_ms: float = 0.0

    @property
    def rate(self) -> float:
        return self.good / self.seconds


def read(port: int, path: str, token: str, seconds: float, clients: int = 16) -> Load:
    """Ask for one address again and again."""
    if not WRK:
        return _locust(port, {"BENCH_PATH": path, "BENCH_TOKEN": token}, seconds, clients)
    text = _wrk(port, path, seconds, clients, "--latency", "-H", f"Authorization: Bearer {token}")
    requests, taken = _find(r"(\d+) requests in ([\d.]+)s", text)
    value, unit = _find(r"99%\s+([\d.]+)(us|ms|s)", text)
    failed = re.findall(r"Non-2xx or 3xx responses: (\d+)", text)
    bad = int(failed[0]) if failed else 0
    scale = {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return Load(int(requests) - bad, 0, bad, float(taken), float(value) * scale)


def flood(port: int, post: Post, seconds: float, clients: int = 16) -> Load:
    """Post as fast as the answers come."""
    if not WRK:
        return _locust(port, post.environment(), seconds, clients)
    script = ["--timeout", "60s", "-s", str(HERE / "load.lua")]
    text = _wrk(port, post.path, seconds, clients, *script, environment=post.environment())
    good, busy, bad, taken = _find(r"good=(\d+) busy=(\d+) bad=(\d+) seconds=([\d.]+)", text)
    return Load(int(good), int(busy), int(bad), float(taken))


def refresh(port: int, path: str, tokens: list[str], seconds: float) -> Load:
    """Refresh as many sessions at once as there are tokens, each by the token that it got last."""
    script = ["-t1", "-s", str(HERE / "refresh.lua")]
    given = {"BENCH_TOKENS": " ".join(tokens)}
    text = _wrk(port, path, seconds, len(tokens), *script, environment=given)
    found = _find(r"good=(\d+) bad=(\d+) seconds=([\d.]+) p50=([\d.]+) p99=([\d.]+)", text)
    good, bad, taken, p50, p99 = map(float, found)
    return Load(int(good), 0, int(bad), taken, p99, p50)


def _wrk(
    port: int,
    path: str,
    seconds: float,
    clients: int,
    *more: str,
    environment: dict[str, str] | None = None,
) -> str:
    command = [WRK or "wrk", "-t2", f"-c{clients}", f"-d{seconds:.0f}s", *more]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"],
        check=False, capture_output=True, text=True, env=os.environ | (environment or {}),
    )  # fmt: skip
    if done.returncode:
        raise SilentError(done.stdout + done.stderr)
    return done.stdout


def _locust(port: int, environment: dict[str, str], seconds: float, clients: int) -> Load:
    command = [str(LOCUST), "--headless", "--json", "--only-summary", "-f", "locustfile.py"]
    command += ["-u", str(clients), "-r", str(clients), "-t", f"{seconds:.0f}s"]
    done = subprocess.run(
        [*command, "-H", f"http://127.0.0.1:{port}"],
        check=False, capture_output=True, text=True, cwd=HERE, env=os.environ | environment,
    )  # fmt: skip
    counts = {"good": 0, "busy": 0, "bad": 0}
    times: list[float] = []
    for row in json.loads(done.stdout):
        kind = {"200": "good", "201": "good", "503": "busy"}.get(row["name"], "bad")
        counts[kind] += row["num_requests"]
        for took, number in row["response_times"].items():
            times += [float(took)] * number
    return Load(**counts, seconds=seconds, p99_ms=quantile(times, 0.99))


def _find(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"the load generator said: {text}")
    return found.groups()


class Onlooker:
    """One client that reads an address every 50 ms, and notes how long each answer took."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self._port, self._path = port, path
        self._headers = {"Authorization": f"Bearer {token}"}
        self.milliseconds: list[float] = []
        self.failures = 0

    @property
    def p50(self) -> float:
        return quantile(self.milliseconds, 0.5)

    @property
    def p99(self) -> float:
        return quantile(self.milliseconds, 0.99)

    @contextmanager
    def looking(self) -> Iterator[Onlooker]:
        stop = threading.Event()
        thread = threading.Thread(target=self._look, args=(stop,))
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()

    def _look(self, stop: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not stop.wait(0.05):
            began = time.perf_counter()
            try:
                connection.request("GET", self._path, headers=self._headers)
                answer = connection.getresponse()
                answer.read()
                self.failures += answer.status != http.client.OK
            except (OSError, http.client.HTTPException):
                self.failures += 1
                connection.close()
            self.milliseconds.append((time.perf_counter() - began) * 1000)


def bcrypt_limit(cores: int, seconds: float = 4) -> float:
    """How many passwords a second all cores can hash at cost 12 when they do nothing else."""
    code = (
        "import bcrypt, time; salt = bcrypt.gensalt(12); began = time.monotonic(); done = 0\n"
        f"while time.monotonic() - began < {seconds}: bcrypt.hashpw(b'x', salt); done += 1\n"
        "print(done / (time.monotonic() - began))"
    )
    hashing = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(cores)
    ]
    return sum(float(process.communicate()[0]) for process in hashing)


def quantile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def median_ms(work: Callable[[], object], times: int) -> float:
    """How long a piece of work takes, in the middle of many."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)
