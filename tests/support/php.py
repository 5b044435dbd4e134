"""The examples in PHP as programs: one file, and Laravel 8 here and 13 in a container."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from app.sessions.keys import Keyring
from tests.support.environment import (
    ROOT,
    clean_environment,
    environment_of_program,
    free_port,
    missing,
    wait_until,
)
from tests.support.gateway import KEYS, REVOKED, Gateway, document, hang, text
from tests.support.http import Answer, once
from tests.support.kits import LARAVEL_13, LARAVEL_IMAGE, install
from tests.support.servers import Server, run_server

# Laravel 8's own files need extensions that a bare PHP lacks, so the package is what counts.
LARAVEL_8 = Path("/usr/share/php/Illuminate/autoload.php")
WORKERS = "8"
# Warnings would be seen in an answer, and a small limit shows what a web host allows.
STRICT = ("-d", "display_errors=1", "-d", "error_reporting=-1", "-d", "memory_limit=128M")
GOOD = (200, None)
Found = TypeVar("Found")


@dataclass
class BackEnd:
    """An example that runs."""

    url: str

    def ask(self, token: str | None = None) -> Answer:
        return once(self.url, "GET", "/resource", token)

    def verdict(self, token: str | None = None) -> tuple[int, str | None]:
        """The status, and the code of a refusal."""
        answer = self.ask(token)
        return answer.status, answer.json().get("code")


@dataclass
class Login:
    """A person's tokens."""

    access: str
    refresh: str

    @property
    def sub(self) -> str:
        return str(jwt.decode(self.access, options={"verify_signature": False})["sub"])

    @property
    def kid(self) -> str:
        return str(jwt.get_unverified_header(self.access)["kid"])


class Service:
    """The service, and what people and its operator do there."""

    def __init__(self, server: Server, database_url: str) -> None:
        self.url, self.server = server.url, server
        self._database_url = database_url

    def log_in(self, name: str = "ani") -> Login:
        person = {"username": name, "password": "correct horse"}
        once(self.url, "POST", "/register", email=f"{name}@example.com", **person)
        pair = once(self.url, "POST", "/api/auth/login/", **person).json()
        return Login(pair["access"], pair["refresh"])

    def log_out(self, login: Login) -> None:
        answer = once(self.url, "POST", "/api/auth/logout/", refresh_token=login.refresh)
        assert answer.status == 200

    def rotate(self) -> None:
        """Let a new key sign from now on, without any notice."""
        environment = environment_of_program(
            INSTANCE_PATH=str(self.server.instance), DATABASE_URL=self._database_url
        )
        command = ["flask", "keys", "rotate", "--publish-for", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


@contextmanager
def run_service(folder: Path, database: Path) -> Iterator[Service]:
    shutil.copy(database, folder / "service.db")
    url = f"sqlite:///{folder / 'service.db'}"
    with run_server(folder, url, WORKERS="1") as server:
        yield Service(server, url)


def _settings(service: str, internal: str | None, **more: str) -> dict[str, str]:
    addresses = {"LOGUSERAPP_URL": service, "LOGUSERAPP_INTERNAL_URL": internal or service}
    return addresses | {"PHP_CLI_SERVER_WORKERS": WORKERS} | more


def _copy(example: str, folder: Path) -> Path:
    beside = shutil.ignore_patterns("*.sqlite", "vendor", ".env")
    return Path(shutil.copytree(ROOT / "examples" / example, folder / uuid4().hex, ignore=beside))


@contextmanager
def _serving(command: list[str], port: int, folder: Path, **settings: str) -> Iterator[BackEnd]:
    """Run a server of PHP, whose workers outlive it unless the whole group is ended."""
    log = folder.parent / f"{folder.name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=clean_environment() | settings,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        back_end = BackEnd(f"http://127.0.0.1:{port}")
        wait_until(lambda: process.poll() is not None or _answers(back_end), "PHP to start")
        assert process.poll() is None, log.read_text()
        yield back_end
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _answers(back_end: BackEnd) -> bool:
    try:
        return back_end.ask().status == 401
    except OSError:
        return False


@contextmanager
def run_plain_php(
    folder: Path, service: str, internal: str | None = None, **settings: str
) -> Iterator[BackEnd]:
    if shutil.which("php") is None:
        missing("php")
    copy, port = _copy("plain-php", folder), free_port()
    command = ["php", *STRICT, "-S", f"127.0.0.1:{port}", "index.php"]
    settings = {"LOGUSERAPP_CACHE": str(copy / "cache")} | settings
    settings = _settings(service, internal, **settings)
    with _serving(command, port, copy, **settings) as back_end:
        yield back_end


@contextmanager
def run_laravel_8(
    folder: Path, service: str, internal: str | None = None, **settings: str
) -> Iterator[BackEnd]:
    """Laravel of this machine's packages, as the example's README says."""
    if shutil.which("php") is None or not LARAVEL_8.exists():
        missing("php-laravel-framework")
    copy, port = _copy("laravel", folder), free_port()
    settings = _settings(service, internal, **settings)
    (copy / "storage" / "notes.sqlite").touch()
    subprocess.run(
        ["php", "artisan", "migrate", "--force"],
        cwd=copy, env=clean_environment() | settings, check=True, capture_output=True,
    )  # fmt: skip
    command = ["php", *STRICT, "-S", f"127.0.0.1:{port}", "-t", "public", "public/index.php"]
    with _serving(command, port, copy, **settings) as back_end:
        yield back_end


@contextmanager
def run_laravel_13(
    folder: Path, service: str, internal: str | None = None, **settings: str
) -> Iterator[BackEnd]:
    """Laravel in a container of the example's Dockerfile, on this machine's network."""
    _build_image()
    port, name = free_port(), f"{LARAVEL_IMAGE}-{uuid4().hex}"
    settings = _settings(service, internal, ADDRESS="127.0.0.1", PORT=str(port), **settings)
    variables = [word for item in settings.items() for word in ("-e", "=".join(item))]
    run = ["docker", "run", "--rm", "--network", "host", "--name", name]
    log = folder / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen([*run, *variables, LARAVEL_IMAGE], stdout=output, stderr=output)
    try:
        back_end = BackEnd(f"http://127.0.0.1:{port}")
        wait_until(
            lambda: process.poll() is not None or _answers(back_end), "the container to start", 60
        )
        assert process.poll() is None, log.read_text()
        yield back_end
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
        process.wait(timeout=30)


@cache
def _build_image() -> None:
    with TemporaryDirectory() as folder:
        install(LARAVEL_13, Path(folder))


LARAVELS = {"8": run_laravel_8, "13": run_laravel_13}


@pytest.fixture(params=LARAVELS)
def start_laravel(
    request: pytest.FixtureRequest, service: Service, tmp_path: Path
) -> Iterator[Callable[..., BackEnd]]:
    """Start Laravel of either version: start_laravel(internal=…, DB_CONNECTION=…)."""
    with ExitStack() as stack:
        run = partial(LARAVELS[request.param], tmp_path, service.url)
        yield lambda **settings: stack.enter_context(run(**settings))


@pytest.fixture
def start_plain_php(service: Service, tmp_path: Path) -> Iterator[Callable[..., BackEnd]]:
    with ExitStack() as stack:
        run = partial(run_plain_php, tmp_path, service.url)
        yield lambda **settings: stack.enter_context(run(**settings))


class TrustRules:
    """What examples/README.md says, asked of one example.

    The module of a subclass has the fixtures `service`, `start` and `start_shared`.
    """

    def test_a_good_token_is_let_in_and_others_are_not(
        self, start: Callable[..., BackEnd], service: Service
    ) -> None:
        back_end, login = start(), service.log_in()
        granted = back_end.ask(login.access)
        assert granted.json() == {"message": "akses sukses", "user": login.sub}
        assert "X-Powered-By" not in granted.headers

        missing_token = back_end.ask()
        assert missing_token.status == 401
        assert missing_token.json()["code"] == "token_missing"
        assert missing_token.headers["WWW-Authenticate"] == "Bearer"
        assert missing_token.headers["Content-Type"] == "application/problem+json"

        refresh = back_end.ask(login.refresh)
        assert refresh.json()["code"] == "token_invalid"
        assert refresh.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

        found = {name: back_end.verdict(token) for name, token in bad_tokens(service).items()}
        assert found == dict.fromkeys(found, (401, "token_invalid"))
        assert back_end.verdict(expired(service)) == (401, "token_expired")

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("{scheme}", "token_invalid"),
            ("{scheme} ", "token_invalid"),
            ("{scheme} {token}, {scheme} {token}", "token_invalid"),
            ("{scheme} {token} {token}", "token_invalid"),
            ("Basic {token}", "token_missing"),
            ("{token}", "token_missing"),
        ],
    )
    def test_only_one_bearer_token_in_the_header_counts(
        self, start_shared: BackEnd, service: Service, header: str, expected: str
    ) -> None:
        token = service.log_in().access
        for scheme in ("Bearer", "bearer", "BEARER"):
            assert _authorize(start_shared, f"{scheme} {token}")[0] == 200
            value = header.format(scheme=scheme, token=token)
            assert _authorize(start_shared, value) == (401, expected)

    def test_two_headers_are_refused_and_a_query_does_not_count(
        self, start_shared: BackEnd, service: Service
    ) -> None:
        token = service.log_in().access
        bearer = f"Bearer {token}"
        assert _authorize(start_shared, bearer, bearer) == (401, "token_invalid")
        query = f"/resource?token={token}&access_token={token}&api_token={token}"
        assert once(start_shared.url, "GET", query).json()["code"] == "token_missing"

    def test_a_logout_is_seen_within_three_seconds(
        self, start_shared: BackEnd, service: Service
    ) -> None:
        stays, leaves = service.log_in(), service.log_in()
        assert start_shared.verdict(leaves.access) == GOOD
        service.log_out(leaves)
        began = time.monotonic()
        wait_until(lambda: start_shared.verdict(leaves.access) != GOOD, "the logout", 10)
        took = time.monotonic() - began
        assert took < 3
        assert start_shared.verdict(leaves.access) == (401, "token_revoked")
        assert start_shared.verdict(stays.access) == GOOD

    def test_a_new_key_is_fetched(self, start: Callable[..., BackEnd], service: Service) -> None:
        before = service.log_in()
        with Gateway(service.url) as gateway:
            back_end = start(internal=gateway.url)
            assert back_end.verdict(before.access) == GOOD
            service.rotate()
            wait_until(lambda: service.log_in().kid != before.kid, "the new key to sign")
            after = service.log_in()
            wait_until(lambda: back_end.verdict(after.access) == GOOD, "the new key", 15)
            assert back_end.verdict(before.access) == GOOD
            # The keys of a moment ago are not fetched again for 10 seconds.
            first, second = gateway.times(KEYS)
            assert second - first > 9.9

    def test_where_the_service_is_away_known_people_keep_working(
        self, start: Callable[..., BackEnd], service: Service
    ) -> None:
        stays, left = service.log_in(), service.log_in()
        service.log_out(left)
        with Gateway(service.url) as gateway:
            back_end = start(internal=gateway.url)
            wait_until(lambda: back_end.verdict(left.access) != GOOD, "the logout")
            gateway.close()
            until = time.monotonic() + 4
            while time.monotonic() < until:
                assert back_end.verdict(stays.access) == GOOD
                assert back_end.verdict(left.access) == (401, "token_revoked")

    def test_started_without_the_service_it_answers_503_until_that_is_back(
        self, start: Callable[..., BackEnd], service: Service
    ) -> None:
        login = service.log_in()
        with Gateway(service.url) as gateway:
            gateway.close()
            back_end = start(internal=gateway.url)
            refused = back_end.ask(login.access)
            assert (refused.status, refused.json()["code"]) == (503, "service_unavailable")
            assert refused.headers["Retry-After"] == "5"
            assert back_end.verdict("x.y.z") == (401, "token_invalid")
            gateway.open()
            wait_until(lambda: back_end.verdict(login.access) == GOOD, "the service", 5)

    def test_one_of_many_requests_fetches_a_stale_list(
        self, start: Callable[..., BackEnd], service: Service
    ) -> None:
        login = service.log_in()
        with Gateway(service.url) as gateway:
            back_end = start(internal=gateway.url)
            assert back_end.verdict(login.access) == GOOD
            fetched = gateway.times(REVOKED)[-1]
            wait_until(lambda: time.monotonic() > fetched + 1, "the list to be stale")
            slow = SlowList(gateway)
            gateway.answer(REVOKED, slow)
            assert together(8, lambda: back_end.verdict(login.access)) == [GOOD] * 8
            assert not slow.was_asked_meanwhile

    def test_a_service_that_hangs_delays_one_request(
        self, start: Callable[..., BackEnd], service: Service
    ) -> None:
        login = service.log_in()
        with Gateway(service.url) as gateway, ThreadPoolExecutor(1) as pool:
            back_end = start(internal=gateway.url)
            assert back_end.verdict(login.access) == GOOD
            gateway.answer(REVOKED, hang)
            fetches = len(gateway.times(REVOKED))
            wait_until(lambda: _fetches(back_end, login, gateway) > fetches, "a fetch in vain")
            failed = time.monotonic()
            wait_until(lambda: time.monotonic() > failed + 1, "the next to be due")
            fetches = len(gateway.times(REVOKED))
            delayed = pool.submit(back_end.verdict, login.access)
            wait_until(lambda: len(gateway.times(REVOKED)) > fetches, "the next fetch")
            assert back_end.verdict(login.access) == GOOD
            assert not delayed.done()
            assert delayed.result() == GOOD

    def test_a_list_of_ten_megabytes_is_read(
        self, start: Callable[..., BackEnd], service: Service
    ) -> None:
        login, other = service.log_in(), service.log_in("budi")
        until = int(time.time()) + 900
        sid = jwt.decode(other.access, options={"verify_signature": False})["sid"]
        numbers = [sid, *(str(10_000_000 + number) for number in range(260_000))]
        listed = [{"sid": number, "until": until} for number in numbers]
        body = json.dumps({"as_of": until, "revoked": listed}, separators=(",", ":"))
        assert 9_500_000 < len(body) < 10_000_000
        with Gateway(service.url) as gateway:
            gateway.answer(REVOKED, text(body))
            back_end = start(internal=gateway.url)
            assert back_end.verdict(other.access) == (401, "token_revoked")
            assert back_end.verdict(login.access) == GOOD


def _fetches(back_end: BackEnd, login: Login, gateway: Gateway) -> int:
    """How often the list has been asked for, once a request has been answered."""
    assert back_end.verdict(login.access) == GOOD
    return len(gateway.times(REVOKED))


def bad_tokens(service: Service) -> dict[str, str]:
    """Tokens that are wrong in shape, and some that the service's own key signed."""
    login = service.log_in()
    head, claims, signature = login.access.split(".")
    raw = base64.urlsafe_b64decode(f"{signature}==")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def signed(alg: object = "ES256", **changes: object) -> str:
        header = {"alg": alg, "kid": login.kid, "typ": "at+jwt"} | changes
        return f"{encoded(json.dumps(header).encode())}.{claims}.{signature}"

    return {
        "a word": "x", "dots": "..", "four parts": f"{login.access}.x",
        "bad base64": "!.!.!", "padded": f"{login.access}==", "huge": "a" * 9_000,
        "no signature": f"{head}.{claims}.",
        "another signature": f"{head}.{claims}.{encoded(bytes(reversed(raw)))}",
        "short": f"{head}.{claims}.{encoded(raw[:63])}",
        "DER": f"{head}.{claims}.{encoded(encode_dss_signature(r, s))}",
        "r = s = 0": f"{head}.{claims}.{encoded(bytes(64))}",
        "r = 0": f"{head}.{claims}.{encoded(bytes(32) + raw[32:])}",
        "s = 0": f"{head}.{claims}.{encoded(raw[:32] + bytes(32))}",
        "r = s = n": f"{head}.{claims}.{encoded(order.to_bytes(32, 'big') * 2)}",
        "all ones": f"{head}.{claims}.{encoded(bytes([255]) * 64)}",
        "not UTF-8": f"{encoded(bytes([255, 254]))}.{claims}.{signature}",
        "header a list": f"{encoded(b'[1]')}.{claims}.{signature}",
        "header a number": f"{encoded(b'1e999')}.{claims}.{signature}",
        "header deep": f"{encoded(b'[' * 3_000)}.{claims}.{signature}",
        "NUL": f"{encoded(bytes(20))}.{claims}.{signature}",
        "none": signed("none"), "HS256": signed("HS256"), "alg a list": signed(["ES256"]),
        "typ": signed(typ="JWT"), "crit": signed(crit=["exp"]),
        "kid unknown": signed(kid="unknown"), "kid null": signed(kid=None),
        "kid a list": signed(kid=["x"]), "kid a path": signed(kid="../../etc/passwd"),
        "kid NUL": signed(kid="\0"), "kid huge": signed(kid="k" * 5_000),
        **{
            name: forged(service, **{claim: value})
            for name, claim, value in (
                ("sub a list", "sub", ["1"]), ("sub empty", "sub", ""), ("sid a number", "sid", 1),
                ("sid missing", "sid", None), ("exp text", "exp", "soon"),
                ("exp huge", "exp", 1e300),
                ("nbf later", "nbf", 2**40), ("nbf missing", "nbf", None),
                ("iss", "iss", "https://elsewhere.example"), ("aud", "aud", "elsewhere"),
                ("aud an object", "aud", {"a": {"b": 1}}), ("type", "type", "refresh"),
            )
        },
    }  # fmt: skip


def forged(service: Service, **changes: Any) -> str:
    """A token that the service's own key signed, over claims that the service would not make."""
    login = service.log_in()
    key = Keyring(service.server.instance / "keyring.json", 900, create=False).current()
    claims = jwt.decode(login.access, options={"verify_signature": False}) | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    message = f"{login.access.split('.')[0]}.{encoded(json.dumps(kept).encode())}"
    der = key.private_key.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    return f"{message}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def expired(service: Service) -> str:
    return forged(service, exp=int(time.time()) - 151)


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _authorize(back_end: BackEnd, *values: str) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection(urlsplit(back_end.url).netloc, timeout=30)
    try:
        connection.putrequest("GET", "/resource")
        for value in values:
            connection.putheader("Authorization", value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("code")
    finally:
        connection.close()


class SlowList:
    """Answers half a second later, or as soon as another request for the list has come."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.was_asked_meanwhile = False

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        before, end = len(self._gateway.times(REVOKED)), time.monotonic() + 0.5
        wait_until(
            lambda: len(self._gateway.times(REVOKED)) > before or time.monotonic() > end,
            "another request",
        )
        self.was_asked_meanwhile |= len(self._gateway.times(REVOKED)) > before
        document({"as_of": int(time.time()), "revoked": []})(handler)


def together(count: int, action: Callable[[], Found]) -> list[Found]:
    """Do the same many times at once."""
    with ThreadPoolExecutor(count) as pool:
        return [one.result() for one in [pool.submit(action) for _ in range(count)]]
