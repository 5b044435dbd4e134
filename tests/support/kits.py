"""The examples as programs: how each is installed and started."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.environment import ROOT, clean_environment, free_port, missing, wait_until
from tests.support.gateway import Gateway
from tests.support.http import Answer

EXAMPLES = ROOT / "examples"
PYTHON = ROOT / ".venv" / "examples"


@dataclass(frozen=True)
class Kit:
    """An example.

    Attributes:
        name: its folder in `examples/`, unless `folder` names that.
        tools: programs that it needs.
        install: steps in a copy of the folder; {python} is an interpreter with its packages.
        start: the command; {port} is where it is to listen.
        address: of the resource.
        keeps_files: it writes keys and list into its folder, so that each start has one of its own.
        keeps_first_header: its server hands on the first of two Authorization headers alone.

    """

    name: str
    tools: tuple[str, ...]
    install: tuple[str, ...]
    start: str
    address: str = "/resource"
    environment: dict[str, str] = field(default_factory=dict)
    keeps_files: bool = False
    keeps_first_header: bool = False
    folder: str = ""

    @property
    def source(self) -> Path:
        return EXAMPLES / (self.folder or self.name)


_NODE = (20, 9)
_NPM_CI = "npm ci --no-audit --no-fund --loglevel=error"
_WAITRESS = "{python} -m waitress --threads=16 --listen=127.0.0.1:{port}"
KITS = {
    kit.name: kit
    for kit in [
        Kit("flask", (), (), f"{_WAITRESS} app:app"),
        Kit("django", (), ("{python} manage.py migrate -v 0",), f"{_WAITRESS} wsgi:application"),
        Kit("express", ("node", "npm"), (_NPM_CI,), "node server.js"),
        Kit(
            "nextjs", ("node", "npm"), (_NPM_CI, "npm run build"),
            "node node_modules/next/dist/bin/next start -H 127.0.0.1 -p {port}",
            address="/api/resource", environment={"NEXT_TELEMETRY_DISABLED": "1"},
            keeps_first_header=True,
        ),
        Kit(
            "laravel", ("php",), ("touch storage/notes.sqlite", "php artisan migrate --force"),
            "php -S 127.0.0.1:{port} -t public public/index.php",
            environment={"PHP_CLI_SERVER_WORKERS": "8"}, keeps_files=True,
        ),
        Kit(
            "plain-php", ("php",), (), "php -S 127.0.0.1:{port} index.php",
            environment={"PHP_CLI_SERVER_WORKERS": "8"},
        ),
    ]
}  # fmt: skip
LARAVEL_IMAGE = "loguserapp-example-laravel"
# Without an --init, PHP would be process 1, which no signal ends.
LARAVEL_13 = Kit(
    "laravel-13", ("docker",), (f"docker build -q --network host -t {LARAVEL_IMAGE} .",),
    "docker run --rm --init --network host -e ADDRESS -e PORT -e LOGUSERAPP_URL "
    f"-e LOGUSERAPP_INTERNAL_URL -e PHP_CLI_SERVER_WORKERS {LARAVEL_IMAGE}",
    environment={"ADDRESS": "127.0.0.1", "PHP_CLI_SERVER_WORKERS": "8"}, folder="laravel",
)  # fmt: skip


@dataclass
class Running:
    """An example that runs, behind a network of its own."""

    kit: Kit
    url: str
    gateway: Gateway
    process: subprocess.Popen[str]
    log: Path

    def ask(
        self, *authorization: str, query: str = "", cookie: str = "", timeout: float = 30
    ) -> Answer:
        """GET the resource with these Authorization headers."""
        headers = [("Authorization", value) for value in authorization]
        headers += [("Cookie", cookie)] if cookie else []
        return get(f"{self.url}{self.kit.address}{query}", headers, timeout)

    def ask_with(self, token: str) -> Answer:
        return self.ask(f"Bearer {token}")

    def verdict(self, token: str) -> tuple[int, str | None]:
        return verdict(self.ask_with(token))

    def footprint(self) -> tuple[float, int]:
        """The memory in MB and the threads of its processes."""
        memory = threads = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                session = (status.parent / "stat").read_text().rpartition(")")[2].split()[3]
                if int(session) == self.process.pid:
                    said = status.read_text()
                    memory += int(re.findall(r"VmRSS:\s+(\d+)", said)[0])
                    threads += int(re.findall(r"Threads:\s+(\d+)", said)[0])
            except (OSError, IndexError):  # it has ended meanwhile
                continue
        return memory / 1024, threads


def get(url: str, headers: list[tuple[str, str]], timeout: float = 30) -> Answer:
    """GET with headers of which one may stand twice."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    try:
        connection.putrequest("GET", parts.path + (f"?{parts.query}" if parts.query else ""))
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def verdict(answer: Answer) -> tuple[int, str | None]:
    """What tests compare: the status and, of a refusal, the code."""
    return answer.status, None if answer.status == 200 else answer.json()["code"]


def install(kit: Kit, folder: Path) -> Path:
    """Copy an example into a folder and install what it needs, as its README says."""
    for tool in kit.tools:
        if shutil.which(tool) is None:
            missing(f"{tool} for examples/{kit.name}")
    if "docker" in kit.tools and _says(["docker", "info"]) is None:
        missing("Docker Engine")
    if "node" in kit.tools and _node() < _NODE:
        missing("Node.js 20.9 or newer")
    beside = shutil.ignore_patterns("node_modules", ".next", "__pycache__", "db.sqlite3", ".env")
    copy = Path(shutil.copytree(kit.source, folder / kit.name, ignore=beside))
    for step in kit.install:
        subprocess.run(_command(step), cwd=copy, env=_environment(kit), check=True, timeout=600)
    return copy


@contextmanager
def run_kit(
    kit: Kit, copy: Path, service: str, under: tuple[str, ...] = (), *, is_open: bool = True
) -> Iterator[Running]:
    """Start an example that reaches the service through a gateway of its own.

    Args:
        copy: where `install` put it.
        service: the PUBLIC_URL of the service.
        under: a command that starts it, such as `faketime -f +120s`.
        is_open: False starts it while the service is away.

    """
    port = free_port()
    log = copy.parent / f"{kit.name}-{port}.log"
    temporary = copy.parent / f"{kit.name}-{port}"
    temporary.mkdir()
    if kit.keeps_files:
        copy = Path(shutil.copytree(copy, temporary / kit.name, symlinks=True))
    with Gateway(service) as gateway, log.open("w") as output:
        if not is_open:
            gateway.close()
        settings = {
            "LOGUSERAPP_URL": service, "LOGUSERAPP_INTERNAL_URL": gateway.url, "PORT": str(port),
            "TMPDIR": str(temporary),
        }  # fmt: skip
        process = subprocess.Popen(
            [*under, *_command(kit.start, port)],
            cwd=copy, env=_environment(kit) | settings, stdout=output, stderr=output, text=True,
            start_new_session=True,
        )  # fmt: skip
        running = Running(kit, f"http://127.0.0.1:{port}", gateway, process, log)
        try:
            wait_until(lambda: process.poll() is not None or _answers(running), f"{kit.name}")
            assert process.poll() is None, log.read_text()
            yield running
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _says(command: list[str]) -> str | None:
    """What a program prints, or None if it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def _node() -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", _says(["node", "--version"]) or "")))


def _answers(running: Running) -> bool:
    try:
        return running.ask(timeout=5).status == 401
    except OSError:
        return False


def _environment(kit: Kit) -> dict[str, str]:
    # Monotonic clocks stay true under faketime: a wrong wall clock runs at the right speed.
    return clean_environment() | kit.environment | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _command(line: str, port: int = 0) -> list[str]:
    python = str(_python()) if "{python}" in line else ""
    return [word.format(python=python, port=port) for word in line.split()]


def _python() -> Path:
    """An interpreter with the packages of the Python examples, kept from run to run."""
    wanted = [EXAMPLES / name / "requirements.txt" for name in ("flask", "django")]
    stamp = PYTHON / hashlib.sha256(b"".join(map(Path.read_bytes, wanted))).hexdigest()[:16]
    interpreter = PYTHON / "bin" / "python"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PYTHON)], check=True)
        listed = [word for path in wanted for word in ("-r", str(path))]
        pip = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *listed], check=True)
        stamp.touch()
    return interpreter


def in_time(action: Callable[[], Answer], seconds: float) -> Answer:
    """The answer, which must come within so many seconds."""
    began = time.monotonic()
    answer = action()
    assert time.monotonic() - began < seconds
    return answer
