"""The product and its peers as servers: how each is started, and how one logs in to it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

from app.config import Config
from app.core.threads import MOST
from benchmarks.load import Post

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv" / "peers" / "bin"
NODE = shutil.which("node")
GO = shutil.which("go")
GO_LIBRARIES = Path("/usr/share/gocode")  # where Debian puts Go's
CORES = Config().workers
NAME, EMAIL, PASSWORD = "bench", "bench@example.com", "correct horse battery"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Contender:
    """One row of the table.

    Attributes:
        name: as the table calls it.
        command: starts it; {port} and {folder} are filled in.
        login: what logs in, None where nobody can.
        register: what makes the account first, if it is not there already.
        token: where the answer to the login has the token.
        environment: further variables.
        hashes: whether its login hashes a password; else no flood of logins is measured.
        missing: why it cannot run here.

    """

    name: str
    command: Sequence[str]
    login: Post | None = None
    register: Post | None = None
    token: str = "access_token"
    environment: dict[str, str] = field(default_factory=dict)
    prepare: Sequence[str] = ()
    hashes: bool = True
    missing: str = ""


@dataclass
class Server:
    """A contender that runs."""

    contender: Contender
    port: int
    process: subprocess.Popen[bytes]
    started_in: float
    token: str = ""

    def memory(self) -> list[tuple[float, float]]:
        """Proportional (PSS) and resident (RSS) megabytes of its processes, parent first."""
        found = []
        for pid in _family(self.process.pid):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            sizes = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
            pss, rss = (int(sizes[name].split()[0]) / 1024 for name in ("Pss", "Rss"))
            found.append((pss, rss))
        return found

    def processor_seconds(self) -> float:
        """What its processes have used of the processors, the kernel's share included."""
        ticks = 0
        for pid in _family(self.process.pid):
            after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
            ticks += sum(map(int, after_name.split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


def product(**environment: str) -> Contender:
    """The product as `make run` serves it, without the limits that a flood would meet first."""
    account = {"username": NAME, "email": EMAIL, "password": PASSWORD}
    return Contender(
        "**loguserapp**",
        [sys.executable, "-m", "app.server"],
        Post("/login", urlencode({"username": NAME, "password": PASSWORD}), FORM),
        Post("/register", urlencode(account), FORM),
        environment={"RATELIMIT_ENABLED": "false", "INSTANCE_PATH": "{folder}/instance"}
        | environment,
    )


def contenders(mysql: str) -> list[Contender]:
    """The product, the ceiling, and the peers."""
    user = Post("/login", json.dumps({"username": NAME, "password": PASSWORD}))
    mail = json.dumps({"email": EMAIL, "password": PASSWORD})
    granian = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}"]
    granian += ["--workers", str(CORES), "--blocking-threads", str(MOST)]
    granian += ["--log-level", "error"]
    sync = ["--bind", "127.0.0.1:{port}", "--workers", str(2 * CORES), "--log-level", "error"]
    uvicorn = ["--host", "127.0.0.1", "--port", "{port}", "--workers", str(CORES)]
    # Its own watchman would kill workers that are merely busy.
    uvicorn += ["--timeout-worker-healthcheck", "60"]
    gunicorn, here = str(PEERS / "gunicorn"), "benchmarks.peers"
    own_granian = str(Path(sys.executable).parent / "granian")
    no_node = "" if NODE and (HERE / "peers" / "node_modules").exists() else "no Node.js here"
    no_mysql = no_node or ("" if mysql else "no MySQL here")
    return [
        Contender(f"constant Flask answer, Granian x{CORES} (the ceiling)",
                  [own_granian, *granian, f"{here}.constant:app"]),
        product(),
        Contender(f"tutorial Flask app (Flask-JWT-Extended HS256), Granian x{CORES}",
                  [str(PEERS / "granian"), *granian, f"{here}.tutorial:app"], user),
        Contender(f"Express 5 + jsonwebtoken, {CORES} processes",
                  [NODE or "node", str(HERE / "peers" / "express.js")], user, missing=no_node),
        Contender(f"tutorial Flask app, gunicorn sync x{2 * CORES}",
                  [gunicorn, *sync, f"{here}.tutorial:app"], user),
        Contender(f"DRF SimpleJWT, gunicorn sync x{2 * CORES}",
                  [gunicorn, *sync, f"{here}.simplejwt:application"], user, token="access",
                  prepare=[str(PEERS / "python"), "-m", f"{here}.simplejwt"]),
        Contender(f"FastAPI Users, uvicorn x{CORES}",
                  [str(PEERS / "uvicorn"), *uvicorn, "--log-level", "error",
                   f"{here}.fastapi_users_app:app"],
                  Post("/login", urlencode({"username": EMAIL, "password": PASSWORD}), FORM),
                  Post("/register", mail)),
        Contender(f"better-auth 1.6 + MySQL, {CORES} processes",
                  [NODE or "node", str(HERE / "peers" / "better-auth.js")],
                  Post("/api/auth/sign-in/email", mail), token="set-auth-token",
                  environment={"BENCH_MYSQL": mysql}, missing=no_mysql),
        go_peer(),
    ]  # fmt: skip


def simplejwt_on(mysql: str) -> Contender:
    """SimpleJWT on MySQL, with rotation and its blacklist."""
    module = "benchmarks.peers.simplejwt"
    workers = 2 * CORES
    return Contender(
        f"DRF SimpleJWT on MySQL, rotation and blacklist, gunicorn sync x{workers}",
        [str(PEERS / "gunicorn"), "--bind", "127.0.0.1:{port}", "--workers", str(workers),
         "--log-level", "error", f"{module}:application"],
        Post("/login", json.dumps({"username": NAME, "password": PASSWORD})),
        token="access", environment={"BENCH_MYSQL": mysql},
        prepare=[str(PEERS / "python"), "-m", module],
    )  # fmt: skip


def go_peer() -> Contender:
    """Go's own server, built from Debian's packages without a network."""
    package = GO_LIBRARIES / "src" / "github.com" / "golang-jwt" / "jwt"
    build = [GO or "go", "build", "-o", "{folder}/gopeer", "benchmarks/peers/gopeer/main.go"]
    return Contender(
        f"Go net/http + golang-jwt ES256, {CORES} cores",
        ["{folder}/gopeer"],
        Post("/login", "{}"),
        environment={
            "GOPATH": str(GO_LIBRARIES), "GO111MODULE": "off", "GOCACHE": "{folder}/cache",
        },
        prepare=build,
        hashes=False,
        missing="" if GO and package.exists() else "no Go here (golang-go, golang-jwt of Debian)",
    )  # fmt: skip


@contextmanager
def running(contender: Contender, folder: Path, *, log_in: bool = True) -> Iterator[Server]:
    """Start a contender, make its account, log in, and stop it in the end."""
    port = _free_port()
    filled = {
        name: text.replace("{folder}", str(folder)) for name, text in contender.environment.items()
    }
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    # A proxy of the same language, a debugger or a setting of the product would change figures.
    environment = (
        kept | {"HOME": str(folder), "PORT": str(port), "BENCH_FOLDER": str(folder)} | filled
    )
    options = {"cwd": HERE.parent, "env": environment}

    def fill(words: Sequence[str]) -> list[str]:
        return [
            word.replace("{port}", str(port)).replace("{folder}", str(folder)) for word in words
        ]

    if contender.prepare:
        subprocess.run(fill(contender.prepare), check=True, **options)  # type: ignore[call-overload]
    command = fill(contender.command)
    began = time.perf_counter()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **options)  # type: ignore[call-overload]
    try:
        _wait(process, port, folder)
        server = Server(contender, port, process, time.perf_counter() - began)
        if log_in and contender.login:
            server.token = _first_token(contender, port, contender.login)
        yield server
    finally:
        _stop(process)


def post(port: int, what: Post) -> tuple[dict[str, str], dict[str, str]]:
    """Send one request; its answer's JSON and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": what.content_type, "Origin": f"http://127.0.0.1:{port}"}
    connection.request("POST", what.path, what.body, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return json.loads(body), {name.lower(): value for name, value in answer.getheaders()}


def token_of_another(server: Server) -> str:
    """A token of a second account where one can register, else that of the first.

    A flood of logins to an account may end its oldest sessions.
    """
    contender = server.contender
    if contender.login is None or contender.register is None:
        return server.token
    register, login = (
        replace(post, body=post.body.replace(NAME, "another"))
        for post in (contender.register, contender.login)
    )
    return _first_token(replace(contender, register=register), server.port, login)


def with_database(contender: Contender, url: str) -> Contender:
    """The product on another database."""
    return replace(contender, environment=contender.environment | {"DATABASE_URL": url})


def with_name(contender: Contender, name: str) -> Contender:
    """The same under another name."""
    return replace(contender, name=name)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:  # a server that is told so while it starts may miss it
        for pid in _family(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def _first_token(contender: Contender, port: int, login: Post) -> str:
    try:
        if contender.register:
            post(port, contender.register)
        body, headers = post(port, login)
    except OSError as error:
        raise RuntimeError(f"{contender.name} let nobody log in: {error}") from error
    token = body.get(contender.token) or headers.get(contender.token)
    if not token:
        raise RuntimeError(f"{contender.name} gave no token: {body}")
    return token


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/resource")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.01)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError(f"it did not start: {(folder / 'log').read_text()[-2000:]}")


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(grandchild for child in children for grandchild in _family(int(child)))]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
