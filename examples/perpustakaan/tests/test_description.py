"""The description of the API and the Postman collection say what the service does."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, PASSWORD, Library, Person, run_command
from described import DOCUMENT, path_of
from flask import Flask

from tests.support.environment import ROOT, missing
from tests.support.http import once
from tests.support.servers import Server

NEWMAN = ROOT / "tests" / "node" / "node_modules" / "newman" / "bin" / "newman.js"
COLLECTION = HERE / "postman_collection.json"


def test_every_operation_is_described_and_no_other(make_app: Callable[..., Flask]) -> None:
    found = {
        (method.lower(), path_of(rule.rule))
        for rule in make_app().url_map.iter_rules()
        if rule.endpoint.startswith("api.") or rule.endpoint in ("healthz", "readyz")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(method, path) for path, item in DOCUMENT["paths"].items() for method in item}
    assert described == found


def requests(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "request" in item:
        yield item
    for inner in item.get("item", []):
        yield from requests(inner)


def test_the_collection_has_every_operation_and_sends_forms() -> None:
    sent = set()
    for item in requests(json.loads(COLLECTION.read_text("utf-8"))):
        request = item["request"]
        assert request.get("body", {"mode": "urlencoded"})["mode"] == "urlencoded"
        if request["url"].startswith("{{baseUrl}}"):
            path = request["url"].removeprefix("{{baseUrl}}").partition("?")[0]
            path = path.replace("{{bookId}}", "{book_id}").replace("999999999", "{book_id}")
            sent.add((request["method"].lower(), path.replace("{{loanId}}", "{loan_id}")))
    assert sent == {(method, path) for path, item in DOCUMENT["paths"].items() for method in item}


@pytest.mark.parametrize("kind", ["sqlite", "mysql"])
def test_newman_runs_the_collection(
    request: pytest.FixtureRequest,
    serve_library: Callable[..., AbstractContextManager[Library]],
    loguserapp: Server,
    make_person: Callable[..., Person],
    tmp_path: Path,
    kind: str,
) -> None:
    node = shutil.which("node")
    if node is None or not NEWMAN.is_file():
        missing("Node with newman (npm ci --prefix tests/node)")
    url, librarian = request.getfixturevalue(f"{kind}_url"), make_person()
    report = tmp_path / "report.json"
    with serve_library(url, loguserapp.url) as library:
        assert once(library.url, "GET", "/api/me", librarian.access).status == 200
        run_command(url, "librarian", librarian.username)
        given = {
            "baseUrl": library.url, "loguserapp": loguserapp.url, "password": PASSWORD,
            "librarian": librarian.username, "reader": f"postman-{kind}",
        }  # fmt: skip
        variables = [part for k, v in given.items() for part in ("--env-var", f"{k}={v}")]
        for _ in range(2):  # it leaves nothing behind that would be in its own way
            done = subprocess.run(
                [node, str(NEWMAN), "run", str(COLLECTION), *variables, "--color", "off",
                 "--reporters", "cli,json", "--reporter-json-export", str(report)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
    ran = json.loads(report.read_text("utf-8"))["run"]
    count = len(list(requests(json.loads(COLLECTION.read_text("utf-8")))))
    assert ran["stats"]["requests"] == {"total": count, "pending": 0, "failed": 0}
    assert all(execution["assertions"] for execution in ran["executions"])
    assert ran["failures"] == []
