"""What each optimisation brings: the service beside itself without it, in turns."""

from __future__ import annotations

import signal
import socket
import statistics
import sys
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from benchmarks import load, report, servers
from benchmarks.servers import Contender, Server

SPEED = ("ensure_sync", "url_adapter", "response_hooks", "whole_response", "own_cores")
MEMORY = ("late_imports", "forked_migration", "cleared_dictionaries")
READ_SECONDS, STOPS, CLIENTS = 2, 10, 16


def table(folder: Path, _mysql: str, rounds: int) -> str:
    """Measure, and return the last of the three tables; the others are printed meanwhile."""
    print(_speed(folder, rounds), flush=True)
    print(f"\n{_memory(folder)}\n", flush=True)
    return _stops(folder)


def _contender(name: str) -> Contender:
    command = [sys.executable, "-m", "benchmarks.without", name]
    return replace(servers.product(), name=name, command=command)


def _folder(folder: Path, name: str) -> Path:
    own = folder / f"price-{name}-{time.monotonic_ns()}"
    own.mkdir()
    return own


def _speed(folder: Path, rounds: int) -> str:
    """Requests a second of /resource, each round one after the other."""
    rates: dict[str, list[float]] = {name: [] for name in ("nothing", *SPEED, "constant")}
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(
                servers.running(
                    servers.contenders("")[0] if name == "constant" else _contender(name),
                    _folder(folder, name),
                )
            )
            for name in rates
        }
        for server in running.values():
            _read(server)
        for _ in range(rounds):
            for name, server in running.items():
                rates[name].append(_read(server))
    lines = []
    for name in SPEED:
        gains = [full / less - 1 for full, less in zip(rates["nothing"], rates[name], strict=True)]
        rate = statistics.median(rates[name])
        lines.append([name, f"{rate:,.0f}", f"{statistics.median(gains):+.1%}"])
    full = statistics.median(rates["nothing"])
    lines.insert(0, ["as it is", f"{full:,.0f}", ""])
    shares = [own / top for own, top in zip(rates["nothing"], rates["constant"], strict=True)]
    share = f"{statistics.median(shares):.2f} of it (floor 0.75)"
    lines.append(["the constant answer", f"{statistics.median(rates['constant']):,.0f}", share])
    return report.table([f"/resource without, {rounds} rounds", "req/s", "it brings"], lines)


def _read(server: Server) -> float:
    return load.read(server.port, "/resource", server.token, READ_SECONDS).rate


def _memory(folder: Path) -> str:
    """Resident and proportional megabytes after one login and a flood of reads, and the start."""
    lines = []
    for name in ("nothing", *MEMORY):
        with servers.running(_contender(name), _folder(folder, name)) as server:
            first = server.started_in
            _read(server)
            sizes = server.memory()
        own = _folder(folder, name)
        starts = []
        for _ in range(3):  # of a service that has its database already, after the first
            with servers.running(_contender(name), own) as server:
                starts.append(server.started_in)
        rss, pss = (sum(size[kind] for size in sizes) for kind in (1, 0))
        label = "as it is" if name == "nothing" else name
        lines.append([label, f"{rss:.0f}", f"{pss:.0f}", f"{first:.2f}", f"{min(starts):.2f}"])
    head = ["without", "RSS MB of the service", "PSS MB", "first start s", "later start s"]
    return report.table(head, lines)


def _stops(folder: Path) -> str:
    """Requests that were connected and not answered while the server stopped."""
    lines = []
    for name, label in (("nothing", "as it is"), ("drain", "drain")):
        lost = answered = 0
        own = _folder(folder, name)
        for _ in range(STOPS):
            with servers.running(_contender(name), own) as server:
                more_lost, more_answered = _stop_under_load(server)
            lost, answered = lost + more_lost, answered + more_answered
        lines.append([label, str(answered), str(lost)])
    return report.table([f"{STOPS} stops without", "answered", "lost"], lines)


def _stop_under_load(server: Server) -> tuple[int, int]:
    lost: list[int] = []
    answered: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                connection = socket.create_connection(("127.0.0.1", server.port), 2)
            except OSError:  # refused: safe to try elsewhere
                continue
            (answered if _is_answered(connection) else lost).append(1)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(1)
    server.process.send_signal(signal.SIGTERM)
    with suppress(Exception):
        server.process.wait(15)
    over.set()
    for client in clients:
        client.join()
    return len(lost), len(answered)


def _is_answered(connection: socket.socket) -> bool:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connection:
        try:
            connection.sendall(request)
            return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
