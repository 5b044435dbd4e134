"""The image, as the compose file runs it: read-only, without rights, as no root."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
from conftest import HERE

from tests.support.environment import ROOT, docker_or_missing, free_port, wait_until
from tests.support.http import once
from tests.support.servers import is_healthy

IMAGE = "perpustakaan-test"
HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_what_is_installed_is_what_the_login_service_has_too() -> None:
    pins = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
    own = (HERE / "requirements.txt").read_text(encoding="utf-8")
    service = dict(pins.findall((ROOT / "requirements.txt").read_text(encoding="utf-8")))
    found = dict(pins.findall(own))
    del found["tzdata"]  # the zones of the world, which the login service does not need
    assert found == {name: service.get(name) for name in found}
    assert "http" not in own
    assert own.count("==") <= own.count("--hash=sha256:")


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    docker_or_missing()
    docker("build", "--quiet", "--tag", IMAGE, str(HERE))
    yield IMAGE
    docker("image", "rm", IMAGE)


@pytest.mark.system
@pytest.mark.compose
def test_the_image_serves_without_root_and_writes_nothing_but_its_volume(image: str) -> None:
    port, name = free_port(), "perpustakaan-test"
    volume = docker("volume", "create")
    folder = ["--volume", f"{volume}:/instance"]
    try:
        migrated = ["run", "--rm", *HARDENED, *folder, image]
        docker(*migrated, "flask", "db", "upgrade")
        added = docker(*migrated, "flask", "import-books", "demo/books.csv")
        assert added == "200 books added, 0 known already."
        publish = ["--publish", f"127.0.0.1:{port}:8006"]
        docker("run", "--detach", "--name", name, *HARDENED, *folder, *publish, image)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_healthy(url), "the container to start")
        assert once(url, "GET", "/readyz").status == 200
        assert len(once(url, "GET", "/api/books?limit=100").json()["books"]) == 100
        assert once(url, "GET", "/").status == 200
        assert docker("exec", name, "id", "-u") == "10001"
        state = "{{json .State.Health.Status}}"
        wait_until(
            lambda: json.loads(docker("inspect", "--format", state, name)) == "healthy",
            "the container to be healthy",
        )
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
        docker("volume", "rm", volume)
