"""A running service, and the examples as programs beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.support.application import DUMMY
from tests.support.environment import ROOT, environment_of_program
from tests.support.http import once
from tests.support.kits import KITS, Kit, Running, install, run_kit
from tests.support.servers import Server, run_server


@dataclass
class Pair:
    """The tokens of a login."""

    access: str
    refresh: str

    @property
    def sid(self) -> str:
        return str(self.claims["sid"])

    @property
    def claims(self) -> dict[str, Any]:
        found: dict[str, Any] = jwt.decode(self.access, options={"verify_signature": False})
        return found

    @property
    def kid(self) -> str:
        return str(jwt.get_unverified_header(self.access)["kid"])


class Service:
    """The service, and what its operator and a person may do."""

    def __init__(self, server: Server, database_url: str) -> None:
        self.url = server.url
        self._instance = server.instance
        self._database_url = database_url
        user = once(self.url, "POST", "/register", **DUMMY).json()["user"]
        self.user_id = str(user["id"])

    def log_in(self) -> Pair:
        pair = once(self.url, "POST", "/api/auth/login/", **DUMMY).json()
        return Pair(pair["access"], pair["refresh"])

    def log_out(self, pair: Pair) -> None:
        answer = once(self.url, "POST", "/api/auth/logout/", refresh=pair.refresh)
        assert answer.status == 200

    def revoked(self) -> set[str]:
        listed = once(self.url, "GET", "/api/auth/revoked/").json()["revoked"]
        return {each["sid"] for each in listed}

    def rotate(self) -> None:
        """Make a key that signs at once."""
        self._command("keys", "rotate", "--publish-for", "0")

    def retire(self, kid: str) -> None:
        self._command("keys", "retire", kid)

    def private_key(self, kid: str) -> str:
        entries = json.loads((self._instance / "keyring.json").read_text())
        return str(next(entry["private_pem"] for entry in entries if entry["kid"] == kid))

    def _command(self, *words: str) -> None:
        environment = environment_of_program(
            INSTANCE_PATH=str(self._instance), DATABASE_URL=self._database_url, PUBLIC_URL=self.url
        )
        subprocess.run(["flask", *words], cwd=ROOT, env=environment, check=True)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="session")
def make_service(sqlite_migrated: Path, folder: Path) -> Iterator[Callable[..., Service]]:
    with ExitStack() as stack:

        def make(name: str, **settings: str) -> Service:
            (folder / name).mkdir()
            shutil.copy(sqlite_migrated, folder / name / "service.db")
            url = f"sqlite:///{folder / name / 'service.db'}"
            server = run_server(folder / name, url, None, **settings)
            return Service(stack.enter_context(server), url)

        yield make


@pytest.fixture(scope="session")
def service(make_service: Callable[..., Service]) -> Service:
    return make_service("service")


@pytest.fixture(scope="session")
def installed(folder: Path) -> Callable[[Kit], Path]:
    """Where an example stands ready to start; each is installed once."""
    ready: dict[str, Path] = {}

    def find(kit: Kit) -> Path:
        if kit.name not in ready:
            ready[kit.name] = install(kit, folder)
        return ready[kit.name]

    return find


@pytest.fixture(scope="session")
def built_nextjs(installed: Callable[[Kit], Path]) -> Path:
    return installed(KITS["nextjs"])


@pytest.fixture(scope="session", params=KITS)
def kit(request: pytest.FixtureRequest) -> Kit:
    return KITS[request.param]


@pytest.fixture(scope="session")
def run(service: Service, installed: Callable[[Kit], Path]) -> Iterator[Callable[[Kit], Running]]:
    """An example that runs until the end, whose gateway is open and passes everything on."""
    with ExitStack() as stack:
        started: dict[str, Running] = {}

        def find(kit: Kit) -> Running:
            if kit.name not in started:
                program = run_kit(kit, installed(kit), service.url)
                started[kit.name] = stack.enter_context(program)
            return started[kit.name]

        yield find


@pytest.fixture
def running(kit: Kit, run: Callable[[Kit], Running]) -> Iterator[Running]:
    found = run(kit)
    yield found
    found.gateway.restore()


@pytest.fixture(scope="session")
def available(installed: Callable[[Kit], Path]) -> list[Kit]:
    """The examples that this machine can run; the others are named."""
    found = []
    for each in KITS.values():
        try:
            installed(each)
        except pytest.skip.Exception as skipped:
            print(f"\nleft out: {skipped}")
        else:
            found.append(each)
    return found


@pytest.fixture
def all_running(run: Callable[[Kit], Running], available: list[Kit]) -> Iterator[list[Running]]:
    found = [run(each) for each in available]
    yield found
    for program in found:
        program.gateway.restore()


@pytest.fixture
def start_all(
    installed: Callable[[Kit], Path], available: list[Kit]
) -> Iterator[Callable[..., list[Running]]]:
    """Start every example anew: start_all(service, is_open=False)."""
    with ExitStack() as stack:

        def start(
            service: Service, under: tuple[str, ...] = (), *, is_open: bool = True
        ) -> list[Running]:
            return [
                stack.enter_context(
                    run_kit(each, installed(each), service.url, under, is_open=is_open)
                )
                for each in available
            ]

        yield start
