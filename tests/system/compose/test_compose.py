"""The production stack, as an operator runs it: up from nothing, used, broken, backed up, restored.

`make test-compose` runs this file; the tests build on each other, from top to bottom.
"""

from __future__ import annotations

import base64
import html
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pymysql
import pytest

from app.config import Config
from tests.support.application import BROWSER, DUMMY
from tests.support.environment import ROOT, free_port, missing, wait_until
from tests.system.compose.load import Load, table
from tests.system.compose.namespaces import (
    CONTAINER,
    HOST,
    HOST_V6,
    OUTSIDE,
    Network,
    ipv6_neighbour,
)
from tests.system.compose.stack import Stack, copy_files
from tests.system.load import flood

pytestmark = pytest.mark.compose
SETTINGS = {"BCRYPT_LOG_ROUNDS": "10", "RATELIMIT_ENABLED": "false"}
PASSPHRASE = "the cat owns the place"
FILL = "/var/lib/mysql/fill"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the stack's files, with an image of their own that is gone afterwards."""
    if shutil.which("docker") is None or _docker("compose", "version").returncode:
        missing("Docker with Compose")
    if _docker("info").returncode:
        missing("a running Docker Engine")
    image = f"loguserapp-test-{os.getpid()}"
    SETTINGS["WEB_IMAGE"] = image
    yield copy_files(tmp_path_factory.mktemp("compose"))
    _docker("rmi", "-f", image)


@pytest.fixture(scope="module")
def stack(files: Path) -> Iterator[Stack]:
    """The stack that most tests use; brought up by the first one."""
    stack = Stack(files, f"loguserapp-test-{os.getpid()}", **SETTINGS)
    yield stack
    stack.down()


@pytest.fixture(scope="module")
def second(files: Path, stack: Stack) -> Iterator[Stack]:
    """An empty stack, which a backup is brought into: people call it by the same address."""
    settings = SETTINGS | {"RATELIMIT_ENABLED": "true", "PUBLIC_URL": stack.url}
    stack = Stack(files, f"loguserapp-test-{os.getpid()}-second", **settings)
    yield stack
    stack.down()


class Client:
    """Asks one stack; keeps cookies, as a browser does."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.url
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def ask(
        self, method: str, path: str, fields: dict[str, str] | None = None, /, **headers: str
    ) -> Any:
        """Ask; the answer has status, headers, url and text."""
        request = Request(
            self._url + path, urlencode(fields).encode() if fields else None,
            {name.replace("_", "-"): value for name, value in headers.items()}, method=method,
        )  # fmt: skip
        try:
            answer = self._opener.open(request, timeout=30)
        except HTTPError as error:
            answer = error
        with answer:
            answer.text = answer.read().decode()
        return answer

    def token(self, **fields: str) -> str:
        answer = self.ask("POST", "/login", DUMMY | fields)
        assert answer.status == 200, answer.text
        found: str = json.loads(answer.text)["access_token"]
        return found

    def resource(self, token: str) -> Any:
        return self.ask("GET", "/resource", Authorization=f"Bearer {token}")

    def submit(self, path: str, **fields: str) -> Any:
        """Open a page, fill in its form and send it."""
        page = self.ask("GET", path, **BROWSER)
        (csrf, *_) = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)
        return self.ask("POST", path, fields | {"csrf_token": html.unescape(csrf)}, **BROWSER)


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)


# --- up from nothing ---------------------------------------------------------------------------


def test_comes_up_from_nothing(stack: Stack) -> None:
    stack.up()
    for service, replicas in (("nginx", 1), ("web", 2), ("mysql", 1)):
        containers = [stack.inspect(container) for container in stack.ids(service)]
        assert len(containers) == replicas
        for container in containers:
            host = container["HostConfig"]
            assert host["ReadonlyRootfs"]
            assert host["CapDrop"] == ["ALL"]
            assert not host["CapAdd"]
            assert host["SecurityOpt"] == ["no-new-privileges:true"]
            assert host["Memory"]
            assert host["LogConfig"]["Config"]["max-size"]
            assert container["Config"]["User"] not in {"", "0", "root"}
            assert container["State"]["Health"]["Status"] == "healthy"
            published = [port for ports in host["PortBindings"].values() for port in ports]
            assert bool(published) == (service == "nginx")
    (data,) = json.loads(stack.run("docker", "network", "inspect", f"{stack.name}_data").stdout)
    assert data["Internal"]
    assert stack.compose("up", "-d", "--wait").returncode == 0, "a second time changes nothing"


def test_the_image_holds_what_it_needs_and_no_more(stack: Stack) -> None:
    image = SETTINGS["WEB_IMAGE"]
    (whole, base) = (
        int(stack.run("docker", "image", "inspect", "-f", "{{.Size}}", name).stdout)
        for name in (image, "python:3.14-slim")
    )
    print(f"\nimage: {(whole - base) / 1e6:.0f} MB over python:3.14-slim")  # noqa: T201
    assert whole - base < 120e6
    found = stack.run(
        "docker", "run", "--rm", "--network=none", image, "sh", "-c",
        "command -v gcc cc c++ make; find / -xdev -name secret_key -o -name keyring.json; id -u",
    ).stdout.split()  # fmt: skip
    assert found == ["10001"]
    history = stack.run("docker", "history", "--no-trunc", image).stdout.lower()
    assert "password" not in history
    assert "secret" not in history.replace("no secret", "")


def test_a_replica_starts_within_two_seconds(stack: Stack) -> None:
    replica = stack.ids("web")[0]
    seconds = min(_seconds_to_start(stack, replica) for _ in range(3))
    print(f"\na replica is ready to serve after {seconds:.1f} s")  # noqa: T201
    assert seconds < 2


def _seconds_to_start(stack: Stack, container: str) -> float:
    stack.run("docker", "restart", container)
    began = stack.inspect(container)["State"]["StartedAt"]
    ready = "loguserapp: open"
    wait_until(lambda: ready in _since(stack, container, began), "the replica to serve")
    (line, *_) = _since(stack, container, began).splitlines()
    wait_until(lambda: stack.inspect(container)["State"]["Health"]["Status"] == "healthy", "health")
    return (_time(line.split()[0]) - _time(began)).total_seconds()


def _since(stack: Stack, container: str, moment: str) -> str:
    return stack.run("docker", "logs", "-t", "--since", moment, container).stdout


def _time(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z", r"\1+00:00", text))


def test_the_five_situations(stack: Stack) -> None:
    client = Client(stack)
    made = client.ask("POST", "/register", DUMMY)
    assert (made.status, json.loads(made.text)["message"]) == (201, "User registered successfully")
    assert client.ask("POST", "/register", DUMMY).status == 409
    refused = client.ask("POST", "/register", DUMMY | {"username": "new", "email": "newuseroke"})
    assert refused.status == 400
    assert json.loads(refused.text)["errors"] == {
        "email": ["An email address must have an @-sign."]
    }
    wrong = client.ask("POST", "/login", DUMMY | {"password": "dummy12345"})
    assert (wrong.status, json.loads(wrong.text)["detail"]) == (401, "Invalid credentials")
    opened = client.resource(client.token())
    assert (opened.status, json.loads(opened.text)) == (200, {"message": "akses sukses"})
    assert client.resource("not.a.token").status == 401


def test_the_pages(stack: Stack) -> None:
    browser = Client(stack)
    person = {"username": "person", "email": "person@example.com", "password": "a good password"}
    assert browser.submit("/register", **person).url == f"{stack.url}/"
    assert browser.submit("/login", **person).url == f"{stack.url}/"
    page = browser.ask("GET", "/resource", **BROWSER)
    assert "akses sukses" in page.text
    assert "<svg" in page.text
    for path in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)):
        static = browser.ask("GET", html.unescape(path))
        assert static.status == 200, path
        assert static.headers["Cache-Control"] == "public, max-age=31536000, immutable", path


def test_every_setting_can_be_given(stack: Stack) -> None:
    fixed = {
        "DATABASE_URL",
        "INSTANCE_PATH",
        "HOST",
        "PORT",
        "SECRET_KEY",
        "TRUSTED_PROXIES",
        "SOCIAL_DEMO",
    }
    written = (stack.folder / "docker-compose.yml").read_text()
    names = {name.upper() for name in Config.__dataclass_fields__} - {"TESTING"} - fixed
    assert [name for name in sorted(names) if f"  {name}:" not in written] == []


# --- nginx -------------------------------------------------------------------------------------


def test_figures_and_unknown_names_stay_outside(stack: Stack) -> None:
    client = Client(stack)
    for path in ("/metrics", "/metrics/", "/%6detrics", "//metrics", "/x/../metrics"):
        assert client.ask("GET", path).status == 404, path
    for host in ("evil.example", "localhost.evil.example", "1.2.3.4.evil.example", ""):
        assert client.ask("GET", "/healthz", Host=host).status in {400, 421}, host
    for host in ("localhost", "127.0.0.1", "192.168.1.7:8080", "[::1]"):
        assert client.ask("GET", "/healthz", Host=host).status == 200, host


def test_forwarded_headers_are_overwritten(stack: Stack) -> None:
    client = Client(stack)
    forged = {
        "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Real-IP": "6.6.6.6",
        "X-Forwarded-Proto": "https", "Forwarded": "for=6.6.6.6;host=evil.example",
    }  # fmt: skip
    answer = client.ask("POST", "/login", DUMMY, **forged)
    assert answer.status == 200
    (address,) = stack.sql("SELECT address FROM session ORDER BY id DESC LIMIT 1")
    assert address not in {"6.6.6.6", "127.0.0.1"}
    assert "evil" not in answer.text + str(answer.headers)


def test_headers_with_underscores_do_not_reach_the_service(stack: Stack) -> None:
    fields = urlencode(DUMMY)
    forged = {
        "X_Forwarded_For": "6.6.6.6",
        "Content_Length": "0",
        "Content-Length": str(len(fields)),
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = _raw(stack, "POST", "/login", fields, forged | form)
    assert answer.status == 200
    (address,) = stack.sql("SELECT address FROM session ORDER BY id DESC LIMIT 1")
    assert address != "6.6.6.6"


def test_an_absolute_address_and_the_host_header_must_name_one_host(stack: Stack) -> None:
    for target, host, status in (
        ("http://localhost/healthz", "localhost", 200),
        ("http://localhost/healthz", "evil.example", 421),
        ("http://evil.example/healthz", "localhost", 421),
    ):
        assert _raw(stack, "GET", target, None, {"Host": host}).status == status, (target, host)


def test_the_log_of_nginx_shows_no_query(stack: Stack) -> None:
    answer = Client(stack).ask("POST", "/login?code=secret", {"a": "a" * 70_000})
    assert answer.status == 413
    logs = stack.compose("logs", "--no-log-prefix", "nginx")
    (line,) = (
        line for line in (logs.stdout + logs.stderr).splitlines() if "too large body" in line
    )
    assert '"POST /login? HTTP/1.1"' in line
    assert "secret" not in logs.stdout + logs.stderr


def _raw(
    stack: Stack, method: str, target: str, body: str | None, headers: dict[str, str]
) -> http.client.HTTPResponse:
    """Ask with header names and a target that urllib would put right."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    connection.request(method, target, body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_the_errors_of_nginx_have_the_one_shape(stack: Stack, accept: str) -> None:
    client = Client(stack)
    cases = {
        404: ("GET", "/static/none.css", {}),
        413: ("POST", "/login", {"password": "a" * 70_000}),
    }
    if accept != "text/html":  # too long to be read on, so that nobody knows what it accepts
        cases[414] = ("GET", "/" + "a" * 70_000, {})
    own = client.ask("GET", "/", **BROWSER)
    for status, (method, path, fields) in cases.items():
        answer = client.ask(method, path, fields, Accept=accept)
        assert answer.status == status
        assert "nginx/" not in answer.text + str(answer.headers)
        for header in (
            "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy",
            "Cross-Origin-Opener-Policy",
        ):  # fmt: skip
            assert answer.headers.get_all(header) == own.headers.get_all(header), header
        if accept == "text/html":
            assert answer.headers.get_content_type() == "text/html"
        else:
            assert answer.headers.get_content_type() == "application/problem+json"
            assert {"type", "title", "status", "detail", "code"} <= json.loads(answer.text).keys()


def test_slow_clients_do_not_keep_others_waiting(stack: Stack) -> None:
    slow = [socket.create_connection(("127.0.0.1", stack.port), timeout=5) for _ in range(200)]
    for connection in slow:
        connection.sendall(
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nu"
        )
    assert Client(stack).ask("GET", "/readyz").status == 200
    Client(stack).token()
    for connection in slow:
        connection.close()


def test_a_flood_from_four_addresses_kills_no_worker_and_leaves_others_served(stack: Stack) -> None:
    before = _workers(stack)
    floods = [_flood(stack) for _ in range(4)]
    client, expected = Client(stack), {"/healthz": 200, "/readyz": 200, "/resource": 401}
    waits = dict.fromkeys(expected, 0.0)
    while any(stack.inspect(flood)["State"]["Running"] for flood in floods):
        for path, status in expected.items():
            began = time.monotonic()
            assert client.ask("GET", path).status == status
            waits[path] = max(waits[path], time.monotonic() - began)
    outcomes = [json.loads(stack.run("docker", "logs", flood).stdout) for flood in floods]
    stack.run("docker", "rm", *floods)
    met = {kind: sum((Counter(each[kind]) for each in outcomes), Counter()) for kind in outcomes[0]}
    print("\n" + "\n".join(_flood_table(met, waits)))  # noqa: T201
    assert _workers(stack) == before
    for kind, statuses in met.items():
        assert statuses.keys() <= {"200", "401", "408", "503", "closed"}, kind
    assert met["get"]["200"]
    assert met["post"]["401"]
    assert max(waits.values()) < 1
    wait_until(lambda: Client(stack).ask("POST", "/login", DUMMY).status == 200, "a login", 30)


def _flood(stack: Stack) -> str:
    """A container that floods nginx for a quarter of a minute from an address of its own."""
    program = str(Path(flood.__file__).resolve())
    network = f"--network={stack.name}_front"
    command = ("python", "/flood.py", "nginx", "8080", "250", "14")
    run = ("docker", "run", "-d", network, "-v", f"{program}:/flood.py:ro", "python:3.14-slim")
    return stack.run(*run, *command).stdout.strip()


def _workers(stack: Stack) -> set[str]:
    """The processes of the web replicas, but those of health checks."""
    tops = [
        stack.run("docker", "top", replica, "-eo", "pid,args").stdout
        for replica in stack.ids("web")
    ]
    return {line.split()[0] for top in tops for line in top.splitlines() if "app.server" in line}


def _flood_table(met: dict[str, Counter[str]], waits: dict[str, float]) -> Iterator[str]:
    yield f"{'1,000 connections':<22}{'met':<50}"
    for kind, statuses in met.items():
        by_status = ", ".join(f"{status}: {n:,}" for status, n in sorted(statuses.items()))
        yield f"{kind:<22}{by_status or 'nothing':<50}"
    for path, seconds in waits.items():
        yield f"another client's {path:<12} {seconds:.2f} s at most"


def test_an_ipv6_client_is_known_by_its_own_address(stack: Stack) -> None:
    if shutil.which("ip") is None or os.geteuid() != 0:
        missing("ip (iproute2) and the right to make network namespaces (root)")
    port = free_port()
    stack.run("docker", "compose", "up", "-d", "--wait", "nginx", more={"HTTP_PORT": str(port)})
    try:
        with ipv6_neighbour() as (neighbour, host):
            ask = f"import urllib.request as u; print(u.urlopen('http://[{host}]:{port}/healthz').status)"
            assert (
                stack.run("ip", "netns", "exec", neighbour.name, "python3", "-c", ask).stdout
                == "200\n"
            )
            assert _lines(stack, "nginx", f'{neighbour.address} "GET /healthz HTTP/1.1" 200')
    finally:
        stack.up()


def test_a_callback_is_asked_of_one_replica_alone(stack: Stack) -> None:
    """Two replicas that break off every request, and count them."""
    project = f"{stack.name}-breaking"
    stack.run("docker", "network", "create", project)
    replica = ("docker", "run", "-d", f"--network={project}", "--network-alias=web")
    made = [
        stack.run(*replica, "python:3.14-slim", "python", "-uc", BREAKS_OFF).stdout.strip()
        for _ in range(2)
    ]
    files = [
        f"-v{stack.folder / name}:/etc/nginx/{target}:ro"
        for name, target in (
            ("nginx.conf", "nginx.conf"),
            ("deploy/nginx", "loguserapp"),
            ("deploy/nginx/http.conf", "servers.conf"),
        )
    ]
    start = ("nginx:1.30", "sh", "/etc/nginx/loguserapp/start.sh")
    name = f"-ePUBLIC_URL={stack.url}"
    made.append(
        stack.run(
            "docker", "run", "-d", f"--network={project}", name, *files, *start
        ).stdout.strip()
    )
    ask = ("curl", "-s", "-o/dev/null", "-w%{http_code}")
    up = ("docker", "exec", made[-1], *ask, "http://localhost:8080/metrics")
    try:
        wait_until(lambda: stack.run(*up, check=False).stdout == "404", "nginx to serve")
        for path, attempts in (("/healthz", {2, 3, 4}), ("/login/google/callback", {1})):
            url = f"http://localhost:8080{path}?state=a"
            assert stack.run("docker", "exec", made[-1], *ask, url).stdout == "502"
            seen = "".join(stack.run("docker", "logs", each).stdout for each in made[:2])
            assert seen.count(f"GET {path}") in attempts, path
    finally:
        stack.run("docker", "rm", "-f", *made)
        stack.run("docker", "network", "rm", project)


BREAKS_OFF = """
import socket
server = socket.create_server(("", 5000))
while True:
    connection, _ = server.accept()
    print(connection.recv(9999).decode().split("?")[0])
    connection.close()
"""


def test_https_needs_two_files_and_two_settings(stack: Stack) -> None:
    folder = stack.folder / "deploy" / "tls"
    folder.mkdir(mode=0o755)
    key, certificate = folder / "privkey.pem", folder / "fullchain.pem"
    make = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=login.example.com")
    stack.run("openssl", *make, "-days", "1", "-keyout", str(key), "-out", str(certificate))
    key.chmod(0o644)
    port = free_port()
    https = {
        "COMPOSE_FILE": "docker-compose.yml:deploy/https.yml",
        "HTTPS_PORT": f"127.0.0.1:{port}",
        "PUBLIC_URL": "https://login.example.com",
    }
    stack.run("docker", "compose", "up", "-d", "--wait", more=https)
    try:
        _speaks_https_alone(stack, certificate, port)
    finally:
        stack.up()


def _speaks_https_alone(stack: Stack, certificate: Path, port: int) -> None:
    curl = ("curl", "-si", "--cacert", str(certificate), "--resolve")
    name = f"login.example.com:{port}"
    page = stack.run(*curl, f"{name}:127.0.0.1", f"https://{name}/static/style.css").stdout
    assert page.startswith("HTTP/2 200")
    assert "strict-transport-security: max-age=31536000" in page
    own = stack.run(*curl, f"{name}:127.0.0.1", "-H", "Accept: text/html", f"https://{name}/login")
    assert own.stdout.lower().count("strict-transport-security") == 1
    assert "set-cookie: __Host-session=" in own.stdout
    plain = stack.run("curl", "-si", f"{stack.url}/login?next=/x").stdout
    assert plain.startswith("HTTP/1.1 308")
    assert "Location: https://login.example.com/login?next=/x" in plain
    other_name = stack.run("curl", "-ski", f"https://127.0.0.1:{port}/").stdout
    assert " 421 " in other_name.splitlines()[0]


# --- the database ------------------------------------------------------------------------------


def test_each_user_of_the_database_may_do_its_own_work_alone(stack: Stack) -> None:
    found = stack.as_root(
        "SHOW GRANTS FOR loguserapp; SHOW GRANTS FOR migrate; SHOW GRANTS FOR workbench; "
        "SELECT user, host FROM mysql.user WHERE user NOT LIKE 'mysql.%'"
    )
    assert set(found) == {
        "GRANT USAGE ON *.* TO `loguserapp`@`%`",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON `loguserapp`.* TO `loguserapp`@`%`",
        "GRANT USAGE ON *.* TO `migrate`@`%`",
        "GRANT ALL PRIVILEGES ON `loguserapp`.* TO `migrate`@`%`",
        "GRANT ALL PRIVILEGES ON `perpustakaan`.* TO `migrate`@`%`",
        "GRANT USAGE ON *.* TO `workbench`@`%`",
        "GRANT SELECT, SHOW VIEW ON `loguserapp`.* TO `workbench`@`%`",
        "loguserapp\t%", "migrate\t%", "workbench\t%", "root\tlocalhost",
        "perpustakaan\t%", "perpustakaan_migrate\t%",
    }  # fmt: skip


def test_mysql_must_prove_who_it_is(stack: Stack) -> None:
    program = """
import pathlib, sys, sqlalchemy as sa
url = pathlib.Path("/run/secrets/database_url").read_text().replace("mysql:", "mysql+pymysql:")
pathlib.Path("/tmp/other.pem").write_text(sys.stdin.read())
def encrypted(url):
    try:
        with sa.create_engine(url).connect() as c:
            return c.execute(sa.text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1] != ""
    except sa.exc.OperationalError as error:
        return str(error.orig)
import socket
print(encrypted(url))
print(encrypted(url.replace("/run/secrets/ca.pem", "/tmp/other.pem")))
print(encrypted(url.replace("@mysql/", "@" + socket.gethostbyname("mysql") + "/")))
import pymysql
part = sa.make_url(url)
try:
    pymysql.connect(host="mysql", user=part.username, password=part.password, ssl_disabled=True)
except pymysql.err.OperationalError as error:
    print(error)
"""
    another = stack.run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null",
        "-subj", "/CN=another", "-days", "1",
    ).stdout  # fmt: skip
    done = subprocess.run(
        ["docker", "compose", "exec", "-T", "web", "python", "-c", program],
        cwd=stack.folder, env=stack.environment, input=another, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    right, other_ca, other_name, plain = done.stdout.splitlines()
    assert right == "True"
    assert "certificate verify failed" in other_ca
    assert "certificate verify failed" in other_name
    assert "require_secure_transport" in plain


def test_workbench_may_look(stack: Stack) -> None:
    port = free_port()
    stack.run(
        "docker", "compose", "--profile", "workbench", "up", "-d", "--no-recreate", "workbench",
        more={"WORKBENCH_PORT": str(port)},
    )  # fmt: skip
    assert stack.inspect(stack.ids("workbench")[0])["HostConfig"]["PortBindings"] == {
        "3306/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
    }
    password = stack.compose("exec", "-T", "mysql", "cat", "/run/secrets/workbench").stdout.strip()

    def connect() -> pymysql.Connection[Any]:
        return pymysql.connect(
            host="127.0.0.1", port=port, user="workbench", password=password,
            database="loguserapp", ssl={"check_hostname": False},
        )  # fmt: skip

    wait_until(lambda: _works(connect), "the way to MySQL")
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM user")
        (first, *_) = cursor.fetchall()
        assert first[:3] == (1, DUMMY["username"], DUMMY["email"])
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("DELETE FROM user")
    stack.compose("--profile", "workbench", "rm", "-sf", "workbench")


def _works(connect: Callable[[], Any]) -> bool:
    try:
        connect().close()
    except Exception:  # noqa: BLE001 - whatever it is, it does not work yet
        return False
    return True


# --- faults under load, backup, restore --------------------------------------------------------


@dataclass
class Report:
    """What was seen while the stack was broken under load."""

    load: Load
    rows: set[str]
    backup: dict[str, str]  # what `make restore` is told
    promised: list[str]  # registrations acknowledged before the backup began
    living: str  # an access token of a login that stands
    ended: str  # one of a login that was ended before the backup
    ended_refresh: str
    log: str  # what nginx says of answers that it could not bring

    @property
    def lost(self) -> list[str]:
        return [name for name in self.load.acknowledged if name not in self.rows]

    def failures(self, phase: str) -> dict[str, int]:
        (found,) = (each for each in self.load.phases if each.name == phase)
        return dict(found.failures)


@pytest.fixture(scope="module")
def report(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Break the stack in every way while people use it, and back it up."""
    client, folder = Client(stack), tmp_path_factory.mktemp("backup")
    living, ended = client.token(), client.token()
    ended_refresh = json.loads(client.ask("POST", "/login", DUMMY).text)["refresh_token"]
    (folder / "passphrase").write_text(PASSPHRASE)
    backup = {
        "FILE": str(folder / "backup.tar.gz.gpg"),
        "BACKUP_PASSPHRASE_FILE": str(folder / "passphrase"),
    }

    with Load(stack.url) as load:

        def calm() -> None:
            since = time.monotonic()
            wait_until(lambda: load.quiet(since), f"calm: {load.phases[-1].name}", 60)
            wait_until(lambda: _healthy(stack), "every service to be healthy", 60)

        calm()
        load.phase("MySQL killed")
        stack.kill(stack.ids("mysql")[0])
        calm()
        load.phase("a web replica killed")
        stack.kill(stack.ids("web")[0])
        calm()
        load.phase("replicas restarted")
        for replica in stack.ids("web"):  # the second as soon as the first is back
            stack.run("docker", "restart", replica)
            wait_until(lambda: _healthy(stack), "the replica to be back", 60)
        calm()
        load.phase("keys rotated")
        stack.compose("exec", "-T", "web", "./loguserapp", "keys", "rotate", "--publish-for", "3")
        calm()
        load.phase("rolling update")
        before = set(stack.ids("web"))
        _make_newer(stack.folder / "app" / "templates" / "base.html")
        stack.run("make", "rolling-update")
        calm()
        assert before.isdisjoint(stack.ids("web"))
        assert len(stack.ids("web")) == 2
        assert "<!-- newer -->" in client.ask("GET", "/login", **BROWSER).text
        load.phase("backup")
        client.ask("POST", "/api/auth/logout/", {"refresh": ended_refresh})
        stack.sql(f"UPDATE session SET revoked_at = UTC_TIMESTAMP() WHERE id = {_sid(ended)}")
        promised = list(load.acknowledged)
        stack.run("make", "backup", more=backup)
        calm()

    rows = set(stack.sql("SELECT username FROM user"))
    said = stack.compose("logs", "--no-log-prefix", "-t", "nginx").stdout.splitlines()
    log = "\n".join(line for line in said if "[error]" in line or '" 50' in line)
    found = Report(load, rows, backup, promised, living, ended, ended_refresh, log)
    print(f"\n{table(load, len(found.lost))}")  # noqa: T201
    return found


def test_what_was_acknowledged_is_there(report: Report) -> None:
    assert len(report.load.acknowledged) > 50
    assert report.lost == []


def test_nobody_is_logged_out_and_nothing_is_wrongly_a_500(report: Report) -> None:
    assert report.load.forced_logouts == 0
    assert [phase.name for phase in report.load.phases if phase.failures["500"]] == []


@pytest.mark.parametrize(
    "phase", ["steady", "replicas restarted", "keys rotated", "rolling update", "backup"]
)
def test_what_an_operator_does_fails_no_request(report: Report, phase: str) -> None:
    assert report.failures(phase) == {}, report.log


def test_a_fault_is_answered_as_what_it_is(report: Report) -> None:
    assert report.failures("MySQL killed").keys() <= {"503"}
    assert report.failures("a web replica killed").keys() <= {"502", "504"}


def test_a_backup_comes_up_elsewhere(report: Report, stack: Stack, second: Stack) -> None:
    wrong = {"FILE": report.backup["FILE"], "BACKUP_PASSPHRASE": "wrong"}
    assert "does not open" in second.run("make", "restore", check=False, more=wrong).stderr
    second.run("make", "restore", more=report.backup)
    client = Client(second)
    assert set(report.promised) <= set(second.sql("SELECT username FROM user"))
    assert client.resource(client.token()).status == 200
    assert client.resource(report.living).status == 200, "who was logged in still is"
    assert client.resource(report.ended).status == 401, "what was ended stays ended"
    sent = {"refresh": report.ended_refresh}
    assert client.ask("POST", "/api/auth/token/refresh/", sent).status == 401


def test_nothing_is_overwritten(report: Report, stack: Stack, second: Stack) -> None:
    for target, stacks in (("backup", (stack,)), ("restore", (stack, second))):
        for each in stacks:
            refused = each.run("make", target, check=False, more=report.backup)
            assert refused.returncode
            assert "nothing is overwritten" in refused.stderr
            Client(each).token()


def _healthy(stack: Stack) -> bool:
    running = [stack.inspect(container)["State"] for container in stack.ids("")]
    return len(running) == 4 and all(state["Health"]["Status"] == "healthy" for state in running)


def _make_newer(page: Path) -> None:
    page.write_text(page.read_text() + "<!-- newer -->\n")


def _sid(token: str) -> int:
    return int(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sid"])


def test_a_backup_for_a_public_key_ends_every_login_if_wanted(
    second: Stack, tmp_path: Path
) -> None:
    client = Client(second)
    token = client.token()
    gnupg = {"GNUPGHOME": str(tmp_path / "gnupg")}
    (tmp_path / "gnupg").mkdir(mode=0o700)
    make_key = ("--batch", "--passphrase", "", "--quick-generate-key", "operator", "default")
    second.run("gpg", *make_key, more=gnupg)
    public = second.run("gpg", "--armor", "--export", "operator", more=gnupg).stdout
    (tmp_path / "public.asc").write_text(public)
    file = {"FILE": str(tmp_path / "backup.tar.gz.gpg")}
    second.run("make", "backup", more=file | {"BACKUP_PUBLIC_KEY": str(tmp_path / "public.asc")})
    second.down()
    second.run("make", "restore", more=file | gnupg | {"LOGINS": "end"})
    assert client.resource(token).status == 401
    assert client.resource(client.token()).status == 200
    second.run("gpgconf", "--kill", "all", more=gnupg)


def test_a_flood_is_stopped_before_the_service(second: Stack) -> None:
    client = Client(second)
    refused: list[Any] = []

    def post(_: int) -> None:
        if not refused:
            answer = client.ask("POST", "/healthz", {"a": "b"})
            if answer.status == 429:
                refused.append(answer)

    # Ten a second and forty at once pass: a busy machine needs longer to send more than that.
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(post, range(600)))
    assert refused
    assert json.loads(refused[0].text)["code"] == "too_many_requests"
    assert refused[0].headers["Retry-After"]


# --- what goes wrong on an operator's machine --------------------------------------------------


@pytest.fixture(scope="module")
def troubled(files: Path, second: Stack) -> Iterator[Stack]:
    """One more stack, with an account that must survive whatever happens."""
    second.down()
    stack = Stack(files, f"loguserapp-test-{os.getpid()}-troubled", **SETTINGS)
    yield stack
    stack.down()


def test_a_taken_port(troubled: Stack) -> None:
    with socket.create_server(("127.0.0.1", troubled.port)):
        refused = troubled.compose("up", "-d", "--wait", check=False)
    assert refused.returncode
    assert str(troubled.port) in refused.stderr
    troubled.up()
    assert Client(troubled).ask("POST", "/register", DUMMY).status == 201


@pytest.mark.parametrize(
    ("volume", "said", "still_logged_in"),
    [
        ("secrets", "the volume of the secrets was missing", True),
        ("instance", "the volume of the signing keys is empty", False),
    ],
)
def test_a_missing_volume_that_can_be_made_again(
    troubled: Stack, volume: str, said: str, still_logged_in: bool
) -> None:
    token = Client(troubled).token()
    troubled.compose("down", "-t", "10")
    troubled.run("docker", "volume", "rm", f"{troubled.name}_{volume}")
    troubled.up()
    assert _lines(troubled, "secrets", said)
    client = Client(troubled)
    assert (client.resource(token).status == 200) == still_logged_in
    assert client.resource(client.token()).status == 200


def test_a_missing_database(troubled: Stack) -> None:
    volume, kept = f"{troubled.name}_mysql", f"{troubled.name}_kept"
    troubled.compose("down", "-t", "10")
    _move_volume(troubled, volume, kept)
    refused = troubled.compose("up", "-d", "--wait", check=False)
    assert refused.returncode
    assert _lines(troubled, "secrets", "the volume of the database is missing")
    troubled.compose("down", "-t", "10")
    _move_volume(troubled, kept, volume)
    troubled.up()
    Client(troubled).token()


def test_another_password_in_an_old_volume(troubled: Stack) -> None:
    troubled.as_root("ALTER USER loguserapp IDENTIFIED BY 'another'")
    troubled.compose("restart", "-t", "10", "web")
    wait_until(lambda: _lines(troubled, "web", "Access denied for user 'loguserapp'"), "the reason")
    troubled.compose("restart", "mysql")  # which gives every user the password of the secrets
    wait_until(lambda: _healthy(troubled), "the stack to be back", 60)
    Client(troubled).token()


def test_a_migration_that_fails_half_way(troubled: Stack) -> None:
    # As if the second one had been cut off, and cannot go on.
    troubled.sql("UPDATE alembic_version SET version_num = '0001'; DROP TABLE session")
    troubled.as_root("REVOKE CREATE ON loguserapp.* FROM migrate")
    refused = troubled.compose("up", "-d", "--wait", check=False)
    assert refused.returncode
    (line,) = _lines(troubled, "migrate", "loguserapp:")
    assert "the migration after 0001 failed" in line
    assert "CREATE command denied" in line
    assert troubled.sql("SELECT username FROM user") == [DUMMY["username"]]
    troubled.compose("restart", "mysql")  # which gives every user its rights
    troubled.up()
    Client(troubled).token()


def test_a_full_disk(troubled: Stack) -> None:
    troubled.down()
    volume, compose = f"{troubled.name}_mysql", "--label=com.docker.compose"
    labels = [f"{compose}.project={troubled.name}", f"{compose}.volume=mysql"]
    small = ["--opt=type=tmpfs", "--opt=device=tmpfs", "--opt=o=size=280m,uid=999,gid=999"]
    troubled.run("docker", "volume", "create", *labels, *small, volume)
    troubled.up()
    troubled.compose("exec", "-T", "mysql", "sh", "-c", f"cat /dev/zero >{FILL}", check=False)
    client = Client(troubled)
    statuses: list[int] = []
    while 503 not in statuses and len(statuses) < 300:  # what is left in the table's own file
        name = f"person{len(statuses)}"
        fields = DUMMY | {"username": name, "email": f"{name}@example.com"}
        statuses.append(client.ask("POST", "/register", fields).status)
    assert set(statuses) == {201, 503}
    assert _lines(troubled, "mysql", "No space left on device")
    assert client.ask("GET", "/readyz").status == 200
    troubled.compose("exec", "-T", "mysql", "rm", FILL)
    wait_until(lambda: client.ask("POST", "/register", DUMMY).status == 201, "room")
    (rows,) = troubled.sql("SELECT COUNT(*) FROM user")
    assert int(rows) == statuses.count(201) + 1


def _lines(stack: Stack, service: str, said: str) -> list[str]:
    logs = stack.compose("logs", "--no-log-prefix", service).stdout
    return [line for line in logs.splitlines() if said in line]


def _move_volume(stack: Stack, source: str, target: str) -> None:
    stack.run("docker", "volume", "create", target)
    volumes = ("-v", f"{source}:/from:ro", "-v", f"{target}:/to")
    copy = ("python:3.14-slim", "cp", "-a", "/from/.", "/to/")
    stack.run("docker", "run", "--rm", "--network=none", *volumes, *copy)
    stack.run("docker", "volume", "rm", source)


# --- the host's firewall -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Somebody outside, the host, and a container of Docker's on it."""
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            missing(f"{tool} (iproute2, nftables)")
    if os.geteuid() != 0:
        missing("the right to make network namespaces (root)")
    network = Network()
    network.listen(network.host, [22, 111, 5000])
    network.listen(network.container, [3306, 8080, 8443, 9000])
    network.listen(network.outside, [443])
    yield network
    network.close()


def test_only_ssh_and_the_web_are_open_to_the_outside(network: Network) -> None:
    everything = {(HOST, port) for port in (22, 80, 443, 111, 3306, 5000)}
    everything |= {(HOST_V6, port) for port in (22, 111, 5000)}
    everything |= {(CONTAINER, port) for port in (3306, 8080)}
    assert network.reached(network.outside, everything) == everything, "without the firewall"
    before = network.docker_rules()
    for _ in ("loaded", "loaded again"):
        network.load(ROOT / "deploy" / "firewall" / "loguserapp.nft")
        assert network.reached(network.outside, everything) == {
            (HOST, 22), (HOST, 80), (HOST, 443), (HOST_V6, 22),
        }  # fmt: skip
    assert network.docker_rules() == before


def test_the_firewall_leaves_what_comes_from_inside(network: Network) -> None:
    assert network.reached(network.container, [(OUTSIDE, 443)]), "a container asks the outside"
    assert network.reached(network.host, [(CONTAINER, 3306), ("127.0.0.1", 5000), (OUTSIDE, 443)])
