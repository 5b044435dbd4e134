"""Measure and print: python -m benchmarks [TABLE…] [ROUNDS].

The tables are contest, refresh, sessions, alone and prices; all but the last by default.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import load, measures, prices, refresh, report, servers, sessions
from benchmarks.load import Load, Onlooker
from benchmarks.servers import CORES, Contender, Server

PLOT = Path(__file__).parent.parent / "docs" / "performance" / "resource.svg"
READ_SECONDS, FLOOD_SECONDS = 4, 15


@dataclass
class Result:
    """What was measured of one contender."""

    contender: Contender
    reads: list[Load] = field(default_factory=list)
    share: float | None = None
    idle: Onlooker | None = None
    flooded: Onlooker | None = None
    flood: Load | None = None
    memory: list[tuple[float, float]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(read.rate for read in self.reads)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # every server is stopped in any case
        signal.signal(number, lambda *_: sys.exit("ended early"))
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    tables = [word for word in sys.argv[1:] if not word.isdigit()] or [
        name for name in TABLES if name != "prices"
    ]
    if unknown := set(tables) - set(TABLES):
        sys.exit(f"no table {', '.join(unknown)}: there are {', '.join(TABLES)}")
    print(f"Machine: {report.machine()}; load by {load.GENERATOR}, 16 clients.", flush=True)
    given = os.environ.get("BENCH_MYSQL_URL", "")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        mysql = given or stack.enter_context(measures.mysql_server())
        for name in tables:
            print(f"\n{TABLES[name](folder, mysql, numbers[0] if numbers else 5)}", flush=True)


def contest_and_plot(folder: Path, mysql: str, rounds: int) -> str:
    """The table of the product and its peers; it is drawn as well."""
    results = contest(folder, mysql, rounds)
    measured = [result for result in results if result.reads]
    PLOT.parent.mkdir(exist_ok=True)
    report.bars(
        PLOT,
        "GET /resource with a token, requests a second",
        "",
        [
            (result.contender.name.strip("*"), result.rate, "*" in result.contender.name)
            for result in sorted(measured, key=lambda result: -result.rate)
        ],
    )
    return contest_table(results)


def contest(folder: Path, mysql: str, rounds: int) -> list[Result]:
    """Everybody reads in turns, round by round, so that a busy moment hits all alike."""
    entrants = servers.contenders(f"{mysql}/bench_better_auth" if mysql else "")
    if mysql:
        measures.make_database(mysql, "bench_better_auth")
    results = [Result(contender) for contender in entrants]
    present = [result for result in results if not result.contender.missing]
    with ExitStack() as stack:
        running: list[tuple[Result, Server]] = []
        for number, result in enumerate(present):
            own = folder / str(number)
            own.mkdir()
            server = stack.enter_context(servers.running(result.contender, own))
            load.read(server.port, "/resource", server.token, 1)  # warm, and not counted
            running.append((result, server))
        for _ in range(rounds):
            for result, server in running:
                _unless_silent(result, server, _read)
        for result, server in running:
            _unless_silent(result, server, _flood)
    return results


def _unless_silent(
    result: Result, server: Server, measure: Callable[[Result, Server], None]
) -> None:
    """Measure; a peer that stops answering stays in the table by its name. We may not."""
    if result.contender.missing:
        return
    try:
        measure(result, server)
    except load.SilentError:
        if "*" in result.contender.name:
            raise
        result.contender = replace(result.contender, missing="stopped answering")
        result.reads.clear()


def _read(result: Result, server: Server) -> None:
    result.reads.append(load.read(server.port, "/resource", server.token, READ_SECONDS))


def _flood(result: Result, server: Server) -> None:
    login = result.contender.login
    if login is None or not result.contender.hashes:
        result.memory = server.memory()
        return
    token = servers.token_of_another(server)
    result.idle = Onlooker(server.port, "/resource", token)
    with result.idle.looking():
        time.sleep(FLOOD_SECONDS)
    before = load.bcrypt_limit(CORES)
    result.flooded = Onlooker(server.port, "/resource", token)
    with result.flooded.looking():
        result.flood = load.flood(server.port, login, FLOOD_SECONDS)
    result.share = result.flood.rate / statistics.mean([before, load.bcrypt_limit(CORES)])
    result.memory = server.memory()


def contest_table(results: list[Result]) -> str:
    """The table of the product and its peers."""
    ceiling = results[0]
    rows = []
    for result in results:
        if not result.reads:
            rows.append([result.contender.name, result.contender.missing, *[""] * 9])
            continue
        pairs = zip(result.reads, ceiling.reads, strict=True)
        ratio = statistics.median(read.rate / top.rate for read, top in pairs)
        p99 = statistics.median(read.p99_ms for read in result.reads)
        row = [result.contender.name, f"{result.rate:,.0f}", f"{ratio:.2f}", f"{p99:.0f}"]
        if result.flood and result.idle and result.flooded:
            failed = result.flooded.failures + result.flood.bad
            row += [
                f"{result.share:.2f}",
                f"{result.flood.busy}",
                f"{result.idle.p99:.1f}",
                f"{result.flooded.p99:.1f}" + (f" ({failed} failed)" if failed else ""),
            ]
        else:
            row += [""] * 4
        pss, rss = (sum(sizes) for sizes in zip(*result.memory, strict=True))
        largest = max(size for _, size in result.memory)
        rows.append([*row, f"{largest:.0f}", f"{rss:.0f}", f"{pss:.0f}"])
    head = [
        f"{len(ceiling.reads)} rounds in turns, medians", "/resource req/s", "of the ceiling",
        "p99 ms", "logins/s of the bcrypt limit", "503s", "/resource p99 ms idle",
        "/resource p99 ms in the flood", "RSS MB of the largest process", "of all", "PSS MB",
    ]  # fmt: skip
    return report.table(head, rows)


def alone(folder: Path, mysql: str, _rounds: int) -> str:
    """The table of what only the product was asked."""
    rows: list[tuple[str, str]] = []
    first, later = measures.start(_folder(folder, "start"))
    rows.append(("start to first answer, on a new machine", f"{first:.2f} s"))
    rows.append(("start to first answer, later", f"{later:.2f} s"))
    with servers.running(servers.product(), _folder(folder, "alone")) as server:
        done, onlooker = measures.registrations(server, FLOOD_SECONDS)
        limit = load.bcrypt_limit(CORES)
        rows += [
            ("registrations/s of the bcrypt limit, 16 clients", f"{done.rate / limit:.2f}"),
            ("/resource p99 meanwhile", f"{onlooker.p99:.1f} ms, {onlooker.failures} failed"),
        ]
        ours, theirs = measures.judging()
        rows.append(("a password crafted to be slow, judged in", f"{ours:.1f} ms"))
        rows.append(("... by zxcvbn itself", f"{theirs:,.0f} ms"))
        before, beside = measures.slow_clients(server, 200, 10)
        rows.append(("/resource p99 before", f"{before.p99:.1f} ms, {before.failures} failed"))
        rows.append(
            ("... beside 200 slow connections", f"{beside.p99:.1f} ms, {beside.failures} failed")
        )
        good, busy = measures.refusals(server, 200, 12)
        rows += [
            ("200 clients log in at once: slowest login", f"{max(good) / 1000:.1f} s"),
            ("... told to come again (503)", f"{len(busy)}"),
            ("... slowest 503", f"{max(busy, default=0):.0f} ms"),
        ]
        main, *workers = server.memory()
        rows += [
            (
                "resident memory a worker, after all this",
                f"{max(rss for _, rss in workers):.0f} MB",
            ),
            (
                "resident memory of the service (RSS)",
                f"{sum(r for _, r in [main, *workers]):.0f} MB",
            ),
            (
                "... shared pages counted once (PSS)",
                f"{sum(p for p, _ in [main, *workers]):.0f} MB",
            ),
        ]
    if mysql:
        for row in measures.users(mysql, folder):
            name = f"{row['users']:,} users on MySQL"
            rows.append((f"login at {name}", f"{row['login']:.0f} ms"))
            rows.append(("... of it finding the account", f"{row['look_up']:.2f} ms"))
            rows.append(("... as MySQL explains it", str(row["plan"])))
    else:
        rows.append(("login by number of users", "no MySQL here"))
    count, size = measures.remembered_tokens(folder)
    rows.append((f"{count:,} remembered tokens, a worker's most", f"{size:.1f} MB"))
    found = measures.revocations(mysql, folder)
    rows += [
        (f"{measures.REVOKED:,} revocations: a look-up", f"{found['ns a look-up']:.0f} ns"),
        ("... memory a worker", f"{found['MB']:.0f} MB, {found['peak MB']:.0f} MB while read"),
        ("... CPU of a look at the database", f"{found['CPU ms a look']:.1f} ms a second"),
        ("... /resource p99 without", f"{found['p99 before']:.1f} ms"),
        ("... /resource p99 with them", f"{found['p99 with']:.1f} ms"),
    ]
    return report.table(["loguserapp alone", ""], rows)


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


TABLES = {
    "contest": contest_and_plot,
    "refresh": refresh.table,
    "sessions": sessions.table,
    "alone": alone,
    "prices": prices.table,
}
BY_DEFAULT = [name for name in TABLES if name != "prices"]

if __name__ == "__main__":
    main()
