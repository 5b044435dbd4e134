"""Measures what one machine holds, on a stack of its own: `python -m tools.scaling`.

Needs Docker and wrk. The clients run on the same machine and take their share of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.system.compose.stack import Stack, copy_files

SECONDS = 10
PERSON = {"username": "dummyuser", "email": "dummy@dummy.com", "password": "dummy1234"}
# A fifth of a million people with two logins each, to see what a row takes.
ROWS = """
SET SESSION cte_max_recursion_depth = 300000;
INSERT INTO user (username, email, password, username_key, email_key, created_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
SELECT CONCAT('person', i), CONCAT('person', i, '@example.com'), RPAD('$2b$12$', 60, 'x'),
       CONCAT('person', i), CONCAT('person', i, '@example.com'), UTC_TIMESTAMP() FROM n;
INSERT INTO session (user_id, created_at, last_used_at, rotation, rotated_at, expires_at,
                     access_expires_at, address, user_agent)
SELECT id, UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0, UTC_TIMESTAMP(), UTC_TIMESTAMP(),
       UTC_TIMESTAMP() - INTERVAL 1 DAY, '192.0.2.1', RPAD('Mozilla/5.0', 100, 'x')
FROM user, (SELECT 1 UNION SELECT 2) two WHERE username LIKE 'person%';
ANALYZE TABLE user, session;
"""
SIZES = """
SET SESSION information_schema_stats_expiry = 0;
SELECT table_name, ROUND((data_length + index_length) / table_rows) FROM information_schema.tables
WHERE table_schema = 'loguserapp' AND table_name IN ('user', 'session')
"""


def main() -> None:
    """Bring a stack up, measure, and leave nothing."""
    image = f"loguserapp-measure-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        files = copy_files(Path(folder))
        stack = Stack(files, image, WEB_IMAGE=image, RATELIMIT_ENABLED="false")
        try:
            stack.up()
            _measure(stack)
        finally:
            stack.down()
            subprocess.run(["docker", "rmi", "-f", image], check=False, capture_output=True)


def _measure(stack: Stack) -> None:
    _ask(stack, "/register", PERSON)
    tokens = _ask(stack, "/login", PERSON)
    bearer = f"Authorization: Bearer {tokens['access_token']}"
    _say("GET /resource", _wrk(stack, "/resource", bearer))
    _say("static file", _wrk(stack, "/static/style.css", bearer))
    refreshes = _hammer(stack, _refresh)
    _say("refreshes", f"{refreshes / SECONDS:.0f} a second")
    quiet: list[str] = []
    beside = threading.Thread(target=lambda: quiet.append(_wrk(stack, "/resource", bearer, 4)))
    beside.start()
    logins = _hammer(stack, lambda stack: _ask(stack, "/login", PERSON))
    beside.join()
    _say("logins, bcrypt 12", f"{logins / SECONDS:.1f} a second")
    _say("  GET /resource meanwhile", quiet[0])
    usage = stack.run(
        "docker", "stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}"
    ).stdout
    for line in usage.splitlines():
        name, _, memory = line.partition("\t")
        if name.startswith(stack.name):
            _say(f"memory of {name.removeprefix(stack.name + '-')}", memory)
    stack.sql(ROWS)
    for line in stack.sql(SIZES):
        table, size = line.split("\t")
        _say(f"bytes for a row of {table}", size)


def _wrk(stack: Stack, path: str, header: str, connections: int = 32) -> str:
    command = (
        "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}", "--latency", "-H", header,
        f"{stack.url}{path}",
    )  # fmt: skip
    printed = stack.run(*command).stdout
    rate, middle, most = (
        re.search(pattern, printed)[1]  # type: ignore[index]
        for pattern in (r"Requests/sec:\s+(\S+)", r"50%\s+(\S+)", r"99%\s+(\S+)")
    )
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    failed = f", {wrong[1]} failed" if wrong else ""
    return f"{float(rate):.0f} a second, p50 {middle}, p99 {most}{failed}"


def _hammer(stack: Stack, work: object, clients: int = 16) -> int:
    until = time.monotonic() + SECONDS

    def one(_: int) -> int:
        done = 0
        while time.monotonic() < until:
            work(stack)  # type: ignore[operator]
            done += 1
        return done

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(one, range(clients)))


_latest = threading.local()


def _refresh(stack: Stack) -> None:
    if not hasattr(_latest, "token"):
        _latest.token = _ask(stack, "/login", PERSON)["refresh_token"]
    sent = {"refresh": _latest.token}
    _latest.token = _ask(stack, "/api/auth/token/refresh/", sent)["refresh"]


def _ask(stack: Stack, path: str, fields: dict[str, str]) -> dict[str, str]:
    request = Request(f"{stack.url}{path}", urlencode(fields).encode())
    with urlopen(request, timeout=30) as answer:
        found: dict[str, str] = json.loads(answer.read())
        return found


def _say(what: str, figure: str) -> None:
    sys.stdout.write(f"{what:<34}{figure}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
