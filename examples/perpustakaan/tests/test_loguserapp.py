"""What a real loguserapp says: logout is seen, names change, and it may be away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from conftest import HERE, Person, in_parallel, log_in, register, run_loguserapp, settings_for
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from perpustakaan import create_app, readers
from perpustakaan.database import db
from perpustakaan.loguserapp import Refused
from perpustakaan.models import Reader
from perpustakaan.problems import Unavailable
from tests.support.http import once
from tests.support.servers import Server

MakeApp = Callable[..., Flask]


def test_the_kit_is_the_one_of_the_flask_example() -> None:
    own = (HERE / "perpustakaan" / "loguserapp.py").read_bytes()
    assert own == (HERE.parent / "flask" / "loguserapp.py").read_bytes()


def test_nothing_is_imported_from_the_login_service() -> None:
    for file in [*(HERE / "perpustakaan").rglob("*.py"), *(HERE / "migrations").rglob("*.py")]:
        for line in file.read_text(encoding="utf-8").splitlines():
            assert not line.strip().startswith(("from app", "import app")), file


def test_a_logout_is_seen_within_3_seconds(
    client: FlaskClient, loguserapp: Server, reader: Person
) -> None:
    assert client.get("/api/me", headers=reader.bearer).status_code == 200
    out = once(loguserapp.url, "POST", "/api/auth/logout/", refresh_token=reader.refresh)
    assert out.status == 200
    deadline = time.monotonic() + 3
    while (answer := client.get("/api/me", headers=reader.bearer)).status_code == 200:
        assert time.monotonic() < deadline, "still let in after 3 s"
        time.sleep(0.05)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "token_revoked")
    refused = client.post("/api/books/1/loans", headers=reader.bearer)
    assert refused.get_json()["code"] == "token_revoked"
    again = log_in(loguserapp.url, reader.username)
    assert client.get("/api/me", headers=again.bearer).status_code == 200


def test_a_first_visit_with_a_token_that_was_revoked(
    make_app: MakeApp, loguserapp: Server, reader: Person
) -> None:
    once(loguserapp.url, "POST", "/api/auth/logout/", refresh_token=reader.refresh)
    app = make_app(LOGUSERAPP_URL=loguserapp.url)
    answer = app.test_client().get("/api/me", headers=reader.bearer)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "token_revoked")
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Reader)) == 0


def test_20_first_requests_at_once_make_one_reader(app: Flask, reader: Person) -> None:
    def visit() -> int:
        return app.test_client().get("/api/me", headers=reader.bearer).status_code

    assert in_parallel(app, [visit] * 20) == [200] * 20
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Reader)) == 1


def test_a_name_that_another_person_has_now(rules: Flask) -> None:
    readers._remember("1", "mira")
    other = readers._remember("2", "MIRA")
    assert readers.find("mira") is not None
    found = readers.find("mira")
    assert found is not None
    assert found.sub == other.sub == "2"
    former = db.session.scalars(select(Reader).where(Reader.sub == "1")).one()
    assert former.username is None
    assert readers._remember("1", "mira.tan").id == former.id
    assert readers.find("Mira.Tan") is not None


def test_names_that_change_hands_in_parallel(rules: Flask) -> None:
    calls = [partial(readers._remember, str(n % 4), f"name{n % 3}") for n in range(24)]
    found = in_parallel(rules, calls)
    assert not [each for each in found if isinstance(each, Exception)], found
    rows = db.session.scalars(select(Reader)).all()
    assert sorted(row.sub for row in rows) == ["0", "1", "2", "3"]


def test_loguserapp_away_from_the_start(make_app: MakeApp, reader: Person) -> None:
    client = make_app().test_client()
    for method, path in [
        ("GET", "/api/me"),
        ("POST", "/api/books/1/loans"),
        ("POST", "/api/books"),
    ]:
        answer = client.open(path, method=method, headers=reader.bearer)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "service_unavailable")
        assert answer.headers["Retry-After"]
    assert client.get("/api/books").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get("/api/me").status_code == 401


@pytest.fixture
def short_lived(tmp_path: Path, library_url: str) -> Iterator[Server]:
    """A loguserapp that the test may stop."""
    with run_loguserapp(tmp_path, library_url) as server:
        yield server


def test_loguserapp_that_goes_away_later(make_app: MakeApp, short_lived: Server) -> None:
    known, unknown = register(short_lived.url), register(short_lived.url)
    client = make_app(LOGUSERAPP_URL=short_lived.url).test_client()
    assert client.get("/api/me", headers=known.bearer).status_code == 200
    short_lived.process.terminate()
    short_lived.process.wait(timeout=30)
    # Who is known goes on; of who is not, the name cannot be asked.
    assert client.get("/api/me", headers=known.bearer).status_code == 200
    answer = client.get("/api/me", headers=unknown.bearer)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "service_unavailable")
    assert client.get("/api/books").status_code == 200


def test_loguserapp_that_accepts_and_says_nothing(
    make_app: MakeApp, loguserapp: Server, reader: Person
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        app = make_app(LOGUSERAPP_URL=loguserapp.url, LOGUSERAPP_INTERNAL_URL=address)
        began = time.monotonic()
        answer = app.test_client().get("/api/me", headers=reader.bearer)
        assert answer.status_code == 503
        assert time.monotonic() - began < 8


def test_a_silent_loguserapp_holds_one_request_at_a_time(
    make_app: MakeApp, loguserapp: Server
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        app = make_app(LOGUSERAPP_URL=loguserapp.url, LOGUSERAPP_INTERNAL_URL=address)

        def open_catalogue() -> float:
            client = app.test_client()
            client.set_cookie("perpustakaan_refresh", "a.b.c")
            began = time.monotonic()
            assert client.get("/").status_code == 200
            return time.monotonic() - began

        assert open_catalogue() > 3  # finds out that it is silent
        with ThreadPoolExecutor(8) as pool:
            waited = sorted(pool.map(lambda _: open_catalogue(), range(8)))
        assert waited[6] < 2
        assert waited[7] > 3  # tries again


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[]", b"{}", b'{"id": 1}', b'{"id": "x", "username": "mira"}',
     b'{"username": 5}', b"[" * 60_000, b'{"a": "' + b"x" * 70_000 + b'"}'],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 401, 404, 429, 500])
def test_nonsense_instead_of_a_name(sqlite_url: str, body: bytes, status: int) -> None:
    with answering(status, body) as address:
        app = create_app(settings_for(sqlite_url, LOGUSERAPP_INTERNAL_URL=address))
        with app.app_context():
            with pytest.raises((Unavailable, Refused)):
                readers.recognize("47", "a.b.c")
            assert db.session.scalar(select(func.count()).select_from(Reader)) == 0
            db.session.remove()
            db.engine.dispose()


class answering:  # noqa: N801 - used as a context manager
    """A server that gives one answer to everything."""

    def __init__(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._answer = head.encode() + body
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(self._answer)
