"""The Postman collection, run by Postman's own runner against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.support.environment import ROOT, missing
from tests.support.servers import Server

NEWMAN = ROOT / "tests" / "node" / "node_modules" / "newman" / "bin" / "newman.js"
COLLECTION = ROOT / "docs" / "api" / "loguserapp.postman_collection.json"


def requests(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "request" in item:
        yield item
    for inner in item.get("item", []):
        yield from requests(inner)


def test_every_request_of_the_collection_is_answered_as_it_says(
    serve: Callable[..., AbstractContextManager[Server]], sqlite_url: str, tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None or not NEWMAN.is_file():
        missing("Node with newman (npm ci --prefix tests/node)")
    report = tmp_path / "report.json"
    with serve(sqlite_url) as server:
        for _ in range(2):  # it leaves nothing behind that would be in its own way
            command = [
                node, str(NEWMAN), "run", str(COLLECTION), "--env-var", f"baseUrl={server.url}",
                "--reporters", "cli,json", "--reporter-json-export", str(report), "--color", "off",
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(report.read_text("utf-8"))["run"]
    sent = len(list(requests(json.loads(COLLECTION.read_text("utf-8")))))
    assert run["stats"]["requests"] == {"total": sent, "pending": 0, "failed": 0}
    assert all(execution["assertions"] for execution in run["executions"])
