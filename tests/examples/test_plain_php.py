"""examples/plain-php: one file that trusts the token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.http import once
from tests.support.php import BackEnd, Service, TrustRules, run_plain_php, run_service

pytestmark = pytest.mark.examples


@pytest.fixture(scope="module")
def service(sqlite_migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with run_service(tmp_path_factory.mktemp("service"), sqlite_migrated) as found:
        yield found


@pytest.fixture
def start(start_plain_php: Callable[..., BackEnd]) -> Callable[..., BackEnd]:
    return start_plain_php


@pytest.fixture(scope="module")
def start_shared(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackEnd]:
    """One that runs for all tests that do not mind what it knows already."""
    with run_plain_php(tmp_path_factory.mktemp("plain-php"), service.url) as back_end:
        yield back_end


class TestPlainPhp(TrustRules):
    """The rules that all examples keep."""


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "//", 404, "not_found"),
        ("GET", "/%00", 404, "not_found"),
        ("PUT", "/resource", 405, "method_not_allowed"),
    ],
)
def test_every_error_is_problem_details(
    start_shared: BackEnd, method: str, path: str, status: int, code: str
) -> None:
    answer = once(start_shared.url, method, path)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_cache_that_belongs_to_another_account_is_not_trusted(
    service: Service, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    link = tmp_path / "link"
    link.symlink_to(theirs)
    with run_plain_php(tmp_path, service.url, LOGUSERAPP_CACHE=str(link)) as back_end:
        assert back_end.verdict(service.log_in().access) == (500, "internal_error")
