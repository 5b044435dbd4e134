"""The table of refreshes: this service, SimpleJWT, and what the database itself commits."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import load, measures, report, servers
from benchmarks.load import Load, Post
from benchmarks.servers import CORES, NAME, PASSWORD, Contender, Server

CLIENTS, SECONDS = 16, 8
_REFRESH = "/api/auth/token/refresh/"
_REFERENCE = """
import sys, threading, time
import pymysql

host, port, database, clients, seconds = sys.argv[1:]
clients, seconds = int(clients), float(seconds)
done = []

def update(number):
    connection = pymysql.connect(host=host, port=int(port), user="root", database=database)
    cursor = connection.cursor()
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        cursor.execute("UPDATE reference SET value = value + 1 WHERE id = %s", (number,))
        connection.commit()
        count += 1
    done.append(count)

threads = [threading.Thread(target=update, args=(n,)) for n in range(clients)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sum(done) / seconds)
"""


@dataclass
class Row:
    """A contender and what was measured of it."""

    name: str
    goal_ms: float
    loads: list[Load]
    processor_ms: list[float]


def table(folder: Path, mysql: str, rounds: int) -> str:
    """Measure in turns, and return the tables of refreshes and of verifying."""
    if not load.WRK:
        return "Refreshes: no wrk here, and the chains of tokens need it."
    reference: list[float] = []
    rows: list[Row] = []
    with ExitStack() as stack:
        running: list[tuple[Row, Server, Callable[[], list[str]]]] = []
        for number, (contender, goal) in enumerate(_contenders(mysql)):
            own = folder / f"refresh-{number}"
            own.mkdir()
            server = stack.enter_context(servers.running(contender, own))
            rows.append(Row(contender.name, goal, [], []))
            running.append((rows[-1], server, partial(_sessions, server)))
        for _, server, sessions in running:
            load.refresh(server.port, _REFRESH, sessions(), 1)  # warm, and not counted
        if mysql:
            _make_reference(mysql)
        for _ in range(rounds):
            if mysql:
                reference.append(_reference(mysql))
            for row, server, sessions in running:
                tokens, before = sessions(), server.processor_seconds()
                row.loads.append(load.refresh(server.port, _REFRESH, tokens, SECONDS))
                used = server.processor_seconds() - before
                row.processor_ms.append(used / max(1, row.loads[-1].good) * 1000)
        if mysql:
            reference.append(_reference(mysql))
        verified = _verify(running[0][1], rounds)
    return f"{_refreshes(rows, reference)}\n\n{verified}"


def _contenders(mysql: str) -> list[tuple[Contender, float]]:
    """The servers, each with its goal for the p99 in milliseconds."""
    ours = servers.product(RATELIMIT_ENABLED="true")
    here = servers.with_name(ours, "**loguserapp** on SQLite")
    if not mysql:
        return [(here, 100)]
    measures.make_database(mysql, "bench_refresh")
    measures.make_database(mysql, "bench_simplejwt")
    there = servers.with_database(ours, f"{mysql}/bench_refresh")
    return [
        (servers.with_name(there, "**loguserapp** on MySQL"), 40),
        (here, 100),
        (servers.simplejwt_on(f"{mysql}/bench_simplejwt"), 0),
    ]


def _sessions(server: Server) -> list[str]:
    """Log in once for each client; the refresh tokens."""
    login = Post("/api/auth/login/", json.dumps({"username": NAME, "password": PASSWORD}))
    return [servers.post(server.port, login)[0]["refresh"] for _ in range(CLIENTS)]


def _make_reference(mysql: str) -> None:
    measures.make_database(mysql, "bench_reference")
    measures.execute(
        f"{mysql}/bench_reference",
        "CREATE TABLE reference (id INT PRIMARY KEY, value INT NOT NULL)",
        *(f"INSERT INTO reference VALUES ({number}, 0)" for number in range(CLIENTS)),
    )


def _reference(mysql: str) -> float:
    """One-row updates a second, each committed, by one process with as many threads."""
    server = urlsplit(mysql)
    arguments = [
        server.hostname or "",
        str(server.port),
        "bench_reference",
        str(CLIENTS),
        str(SECONDS),
    ]
    done = subprocess.run(
        [sys.executable, "-c", _REFERENCE, *arguments], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def _refreshes(rows: list[Row], reference: list[float]) -> str:
    peer = next((row.loads for row in rows if "SimpleJWT" in row.name), [])
    around = [statistics.mean(pair) for pair in pairwise(reference)]
    lines = []
    for row in rows:
        rates = [one.rate for one in row.loads]
        p50, p99 = (
            statistics.median(getattr(one, name) for one in row.loads)
            for name in ("p50_ms", "p99_ms")
        )
        bad = sum(one.bad for one in row.loads)
        lines.append(
            [row.name + (f" ({bad} failed)" if bad else ""), f"{statistics.median(rates):,.0f}",
             f"{_ratio(rates, around):.2f}" if around else "",
             f"{_ratio(rates, [one.rate for one in peer]):.1f}" if peer else "",
             f"{p50:.1f}", f"{p99:.1f}" + (f" (goal {row.goal_ms:.0f})" if row.goal_ms else ""),
             f"{statistics.median(row.processor_ms):.2f}"]
        )  # fmt: skip
    if reference:
        low, middle, high = min(reference), statistics.median(reference), max(reference)
        name = f"one-row UPDATE and COMMIT, one PyMySQL process ({low:,.0f} to {high:,.0f})"
        lines.append([name, f"{middle:,.0f}", "1", "", "", "", ""])
    head = [
        f"{len(rows[0].loads)} rounds in turns, medians; {CLIENTS} clients",
        "refreshes/s", "of the reference (goal 0.35)", "times SimpleJWT (goal 6)", "p50 ms",
        "p99 ms", "its own processor time, ms",
    ]  # fmt: skip
    return report.table(head, lines)


def _ratio(rates: list[float], others: list[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(rates, others, strict=True))


def _verify(server: Server, rounds: int) -> str:
    """An access token, looked at by /resource and by the call that verifies it, in turns."""
    body = json.dumps({"token": server.token})
    reads, verified = [], []
    for _ in range(rounds):
        reads.append(load.read(server.port, "/resource", server.token, 4))
        verified.append(load.flood(server.port, Post("/api/auth/token/verify/", body), 4))
    pairs = zip(verified, reads, strict=True)
    ratio = statistics.median(one.rate / read.rate for one, read in pairs)
    rate, read = (statistics.median(one.rate for one in kind) for kind in (verified, reads))
    failed = sum(one.bad + one.busy for one in verified)
    return report.table(
        [f"**loguserapp**, {CORES} workers", ""],
        [
            ("/resource req/s", f"{read:,.0f}"),
            ("verify req/s", f"{rate:,.0f}" + (f" ({failed} failed)" if failed else "")),
            ("verify, of /resource (goal 0.5)", f"{ratio:.2f}"),
        ],
    )
