"""examples/laravel: a guard that trusts the token, and notes of each person."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.databases import execute, mysql_database, select
from tests.support.environment import wait_until
from tests.support.http import once
from tests.support.php import GOOD, LARAVELS, BackEnd, Service, TrustRules, run_service, together

pytestmark = pytest.mark.examples
EMOJI = "\N{SEEDLING}"


@pytest.fixture(scope="module")
def service(sqlite_migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with run_service(tmp_path_factory.mktemp("service"), sqlite_migrated) as found:
        yield found


@pytest.fixture
def start(start_laravel: Callable[..., BackEnd]) -> Callable[..., BackEnd]:
    return start_laravel


@pytest.fixture(scope="module", params=LARAVELS)
def start_shared(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackEnd]:
    """One that runs for all tests that do not mind what it knows already."""
    folder = tmp_path_factory.mktemp("laravel")
    with LARAVELS[request.param](folder, service.url) as back_end:
        yield back_end


@pytest.fixture
def mysql(mysql_server: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A database of MySQL: its URL, and the settings of Laravel for it."""
    with mysql_database(mysql_server) as url:
        parts = urlsplit(url)
        yield url, {
            "DB_CONNECTION": "mysql", "DB_HOST": parts.hostname or "",
            "DB_PORT": str(parts.port), "DB_DATABASE": parts.path[1:],
            "DB_USERNAME": parts.username or "", "DB_PASSWORD": parts.password or "",
        }  # fmt: skip


class TestLaravel(TrustRules):
    """The rules that all examples keep."""


def notes(back_end: BackEnd, token: str) -> list[dict[str, Any]]:
    answer = once(back_end.url, "GET", "/api/notes", token)
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json()["notes"]
    return found


def send_json(back_end: BackEnd, token: str, body: bytes) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(back_end.url).netloc, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/api/notes", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def use_notes(back_end: BackEnd, service: Service, name: str) -> None:
    """Two persons write, list and delete notes, and see only their own."""
    mine, theirs = service.log_in(name).access, service.log_in(f"{name}2").access
    assert notes(back_end, mine) == []
    made = once(back_end.url, "POST", "/api/notes", mine, text=f"halo {EMOJI}")
    assert made.status == 201
    note = made.json()
    assert sorted(note) == ["created_at", "id", "text"]
    assert note["text"] == f"halo {EMOJI}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", note["created_at"])
    status, second = send_json(back_end, mine, json.dumps({"text": "x" * 2000}).encode())
    assert status == 201
    assert notes(back_end, mine) == [note, second]

    assert notes(back_end, theirs) == []
    path = f"/api/notes/{note['id']}"
    refused = once(back_end.url, "DELETE", path, theirs)
    assert (refused.status, refused.json()["code"]) == (404, "not_found")
    assert once(back_end.url, "DELETE", path, mine).status == 204
    assert once(back_end.url, "DELETE", path, mine).status == 404
    assert notes(back_end, mine) == [second]


def test_each_person_has_notes_of_their_own(start_shared: BackEnd, service: Service) -> None:
    use_notes(start_shared, service, "citra")


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b"", b"[]", b"null", b'"x"', b'{"text"', b'{"text":null}', b'{"text":""}',
        b'{"text":"  "}', b'{"text":1}', b'{"text":["x"]}', b'{"text":{"x":1}}',
        b'{"text":"\xff"}', json.dumps({"text": "x" * 2001}).encode(),
    ],
)  # fmt: skip
def test_a_bad_text_is_named(start_shared: BackEnd, service: Service, body: bytes) -> None:
    status, problem = send_json(start_shared, service.log_in().access, body)
    assert (status, problem["code"]) == (422, "validation_error")
    assert problem["errors"] == {"text": ["The text must have 1 to 2000 characters."]}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/api/notes", 401, "token_missing"),
        ("POST", "/api/notes", 401, "token_missing"),
        ("DELETE", "/api/notes/x", 404, "not_found"),
        ("PUT", "/resource", 405, "method_not_allowed"),
        ("GET", "/%FF%00", 404, "not_found"),
    ],
)
def test_every_error_is_problem_details(
    start_shared: BackEnd, method: str, path: str, status: int, code: str
) -> None:
    answer = once(start_shared.url, method, path)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_note_of_an_impossible_number_is_not_there(
    start_shared: BackEnd, service: Service
) -> None:
    answer = once(start_shared.url, "DELETE", f"/api/notes/{9**40}", service.log_in().access)
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


def test_a_failure_shows_nothing_of_the_program(
    start: Callable[..., BackEnd], service: Service, mysql: tuple[str, dict[str, str]]
) -> None:
    url, settings = mysql
    back_end = start(**settings)
    token = service.log_in().access
    assert back_end.verdict(token) == GOOD
    execute(url, "DROP TABLE notes")
    failed = once(back_end.url, "GET", "/api/notes", token)
    assert (failed.status, failed.json()["code"]) == (500, "internal_error")
    assert sorted(failed.json()) == ["code", "detail", "status", "title", "type"]
    assert b"SQL" not in failed.body


def test_twenty_first_requests_of_a_person_make_one_row(
    start: Callable[..., BackEnd], service: Service, mysql: tuple[str, dict[str, str]]
) -> None:
    url, settings = mysql
    back_end = start(**settings)
    for name in ("dewi", "eko", "fajar"):
        login = service.log_in(name)
        assert together(20, lambda token=login.access: back_end.verdict(token)) == [GOOD] * 20  # type: ignore[misc]
        rows = select(url, f"SELECT count(*) FROM loguserapp_users WHERE sub = '{login.sub}'")
        assert rows == [(1,)]
    use_notes(back_end, service, "gita")


def test_twenty_first_requests_on_sqlite(start_shared: BackEnd, service: Service) -> None:
    token = service.log_in("hadi").access
    assert together(20, lambda: start_shared.verdict(token)) == [GOOD] * 20


def test_the_cache_may_be_the_database(
    start: Callable[..., BackEnd], service: Service, mysql: tuple[str, dict[str, str]]
) -> None:
    _, settings = mysql
    back_end = start(CACHE_DRIVER="database", **settings)
    leaves = service.log_in()
    assert together(8, lambda: back_end.verdict(leaves.access)) == [GOOD] * 8
    service.log_out(leaves)
    wait_until(lambda: back_end.verdict(leaves.access) == (401, "token_revoked"), "the logout", 3)
