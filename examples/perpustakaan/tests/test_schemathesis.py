"""Requests made of the description, right and wrong ones: no answer is other than described."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from conftest import Library, Person, run_command

from tests.support.environment import missing
from tests.support.http import once
from tests.support.servers import Server

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance",
)  # fmt: skip


def test_what_schemathesis_sends_is_answered_as_described(
    serve_library: Callable[..., AbstractContextManager[Library]],
    loguserapp: Server,
    make_person: Callable[..., Person],
    sqlite_url: str,
    tmp_path: Path,
) -> None:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if program is None:
        missing("schemathesis")
    librarian = make_person()
    with serve_library(sqlite_url, loguserapp.url) as library:
        assert once(library.url, "GET", "/api/me", librarian.access).status == 200
        run_command(sqlite_url, "librarian", librarian.username)
        for header in ([], ["--header", f"Authorization: Bearer {librarian.access}"]):
            done = subprocess.run(
                [program, "run", f"{library.url}/openapi.json", *header,
                 "--checks", ",".join(CHECKS), "--max-examples", "25",
                 "--phases", "examples,coverage,fuzzing,stateful",
                 "--suppress-health-check", "all", "--seed", "47", "--no-color"],
                cwd=tmp_path, check=False, capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout[-6000:] + done.stderr
