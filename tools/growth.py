"""Measures how the stack grows with web replicas and members: `python -m tools.growth`.

One member is the single stack, three are the cluster (deploy/cluster). Needs Docker and wrk, takes
about 15 minutes. Clients and every server share the machine, so that ratios count, and the
processor time that one operation costs each of them: what it would take on machines of their own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from benchmarks.report import machine
from tests.cluster.cluster import MEMBERS, Cluster
from tests.support.environment import ROOT
from tests.system.compose.stack import Stack, copy_files

SECONDS = 6
_LIMIT = "rate=300r/s"
SESSIONS = 16
REPLICAS = (1, 2, 4)
PERSON = {"username": "dummyuser", "email": "dummy@dummy.com", "password": "dummy1234"}
NEW = urlencode({"username": "NAME", "email": "NAME@example.com", "password": "dummy1234"})
FORM = "application/x-www-form-urlencoded"
# Those of Group Replication, the weakest first; the second is what the cluster has.
CONSISTENCIES = ("EVENTUAL", "BEFORE_ON_PRIMARY_FAILOVER", "BEFORE", "AFTER")
USAGE = "cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || true"


@dataclass
class Measured:
    """Operations a second, and the milliseconds of processor time that one costs each service."""

    rate: float
    cost: dict[str, float] = field(default_factory=dict)


def main() -> None:
    """Measure every size, and print tables in Markdown."""
    _say(f"{machine()}\n")
    found: dict[tuple[int, int], dict[str, Measured]] = {}
    costs: dict[str, Measured] = {}
    image = f"loguserapp-growth-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        files = copy_files(Path(folder))
        _lift_limit(files / "nginx.conf")
        try:
            for members in (1, len(MEMBERS)):
                with _running(files, image, members) as stack:
                    for replicas in REPLICAS:
                        stack.compose("up", "-d", "--wait", "--scale", f"web={replicas}", "web")
                        found[members, replicas] = _measure(stack)
                        least = found[1, REPLICAS[0]]
                        _print_rates(members, replicas, found[members, replicas], least)
                    if isinstance(stack, Cluster):
                        costs = _consistencies(stack)
        finally:
            subprocess.run(["docker", "rmi", "-f", image], check=False, capture_output=True)
    _print_costs(found)
    _print_consistencies(costs)


def _lift_limit(settings: Path) -> None:
    """Let one client send more than nginx lets one network: here it stands for many."""
    text = settings.read_text()
    assert _LIMIT in text
    settings.write_text(text.replace(_LIMIT, "rate=100000r/s"))


@contextmanager
def _running(files: Path, image: str, members: int) -> Iterator[Stack]:
    make = Stack if members == 1 else Cluster
    settings = {"WEB_IMAGE": image, "WEB_REPLICAS": "1", "RATELIMIT_ENABLED": "false"}
    stack = make(files, f"{image}-{members}", **settings)
    try:
        stack.up()
        _post(stack, "/register", PERSON)
        yield stack
    finally:
        stack.down()


def _measure(stack: Stack) -> dict[str, Measured]:
    login = urlencode({key: PERSON[key] for key in ("username", "password")})
    # `/resource` first: after a flood of log-ins the service is still busy with what it took.
    resource = _resource(stack)
    return {
        "refreshes": _refreshes(stack),
        "registrations": _posts(stack, "/register", NEW, kind="new"),
        "log-ins": _posts(stack, "/login", login, kind="same"),
        "`/resource`": resource,
    }


def _refreshes(stack: Stack) -> Measured:
    tokens = [_post(stack, "/login", PERSON)["refresh_token"] for _ in range(SESSIONS)]
    return _with_costs(
        stack,
        lambda: _wrk(
            stack, "/api/auth/token/refresh/", "refresh.lua", SESSIONS,
            BENCH_TOKENS=" ".join(tokens),
        ),
    )  # fmt: skip


def _posts(stack: Stack, path: str, body: str, kind: str) -> Measured:
    environment = {
        "BENCH_POST": kind, "BENCH_BODY": body, "BENCH_TYPE": FORM,
        "BENCH_PREFIX": f"x{os.urandom(4).hex()}",
    }  # fmt: skip
    return _with_costs(stack, lambda: _wrk(stack, path, "load.lua", 2, **environment))


def _resource(stack: Stack) -> Measured:
    bearer = f"Authorization: Bearer {_post(stack, '/login', PERSON)['access_token']}"
    return _with_costs(stack, lambda: _wrk(stack, "/resource", "", 2, bearer))


def _wrk(
    stack: Stack, path: str, script: str, threads: int, header: str = "", **environment: str
) -> float:
    command = [
        "wrk", f"-t{threads}", f"-c{SESSIONS}", f"-d{SECONDS}", "--latency", "--timeout", "10",
        *(["-H", header] if header else ["-s", str(ROOT / "benchmarks" / script)]),
        f"{stack.url}{path}",
    ]  # fmt: skip
    printed = stack.run(*command, more=environment).stdout
    counted = re.search(r"answers good=(\d+).* bad=(\d+) seconds=([\d.]+)", printed)
    if counted:
        good, bad, seconds = int(counted[1]), int(counted[2]), float(counted[3])
    else:
        total = re.search(r"(\d+) requests in ([\d.]+)s", printed)
        assert total, printed
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
        good, bad, seconds = int(total[1]), int(failed[1]) if failed else 0, float(total[2])
    assert bad == 0, printed
    return good / seconds


def _with_costs(stack: Stack, measure: Callable[[], float]) -> Measured:
    before = _usage(stack)
    rate = measure()
    after = _usage(stack)
    operations = rate * SECONDS
    spent = {name: 1e3 * (after[name] - before[name]) / operations for name in before}
    return Measured(rate, spent)


def _usage(stack: Stack) -> dict[str, float]:
    """Seconds of processor time of each service so far; members by their role."""
    found: dict[str, float] = {}
    primary = stack.primary() if isinstance(stack, Cluster) else "mysql"
    for line in stack.compose("ps", "--format", "json").stdout.splitlines():
        container = json.loads(line)
        name = container["Service"]
        if name in MEMBERS:
            name = "mysql" if name == primary else "other members"
        read = stack.run("docker", "exec", container["ID"], "sh", "-c", USAGE).stdout
        version_2 = re.search(r"usage_usec (\d+)", read)
        seconds = int(version_2[1]) / 1e6 if version_2 else int(read.split()[-1]) / 1e9
        found[name] = found.get(name, 0.0) + seconds
    return found


def _consistencies(cluster: Cluster) -> dict[str, Measured]:
    """Refreshes with each level of consistency, the cluster's own first and last."""
    found = {}
    for level in (*CONSISTENCIES, CONSISTENCIES[1]):
        for member in MEMBERS:
            chosen = f"SET GLOBAL group_replication_consistency = '{level}'"
            done = cluster.as_root_on(member, chosen)
            assert done is not None, member
        cluster.compose("restart", "web")  # a connection has the level that it began with
        cluster.compose("up", "-d", "--wait", "web")
        found[level if level not in found else f"{level} again"] = _refreshes(cluster)
    return found


def _post(stack: Stack, path: str, fields: Mapping[str, str]) -> dict[str, str]:
    request = Request(f"{stack.url}{path}", urlencode(fields).encode())
    with urlopen(request, timeout=30) as answer:
        found: dict[str, str] = json.loads(answer.read())
        return found


def _print_rates(
    members: int, replicas: int, measured: Mapping[str, Measured], least: Mapping[str, Measured]
) -> None:
    if measured is least:
        _row("members", "web replicas", *(f"{kind} a second (ratio)" for kind in measured))
        _row(*["---"] * (2 + len(measured)))
    rates = (
        f"{one.rate:,.0f} ({one.rate / least[kind].rate:.2f})" for kind, one in measured.items()
    )
    _row(members, replicas, *rates)


def _print_costs(found: Mapping[tuple[int, int], Mapping[str, Measured]]) -> None:
    services = ["nginx", "web", "haproxy", "mysql", "other members"]
    _say("")
    _row("milliseconds of processor time for one", "members", *services)
    _row(*["---"] * (2 + len(services)))
    for members in (1, len(MEMBERS)):
        for kind, measured in found[members, REPLICAS[1]].items():
            cost = (measured.cost.get(name) for name in services)
            _row(kind, members, *("" if each is None else f"{each:.2f}" for each in cost))


def _print_consistencies(found: Mapping[str, Measured]) -> None:
    _say("")
    _row("`group_replication_consistency`", "refreshes a second (ratio)")
    _row("---", "---")
    own = found[CONSISTENCIES[1]].rate
    for level, measured in found.items():
        _row(level, f"{measured.rate:,.0f} ({measured.rate / own:.2f})")


def _row(*cells: object) -> None:
    _say(f"| {' | '.join(map(str, cells))} |")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
