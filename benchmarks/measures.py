"""What is measured of the product alone: calm, start, memory, users, revocations."""

from __future__ import annotations

import gc
import socket
import statistics
import subprocess
import sys
import threading
import time
import timeit
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import create_engine, text

from app import create_app
from app.accounts.lookup import find_by_name
from app.config import Config
from app.extensions import db
from app.models import utcnow
from app.sessions import tokens
from app.sessions.revocation import RevocationList
from benchmarks import load, servers
from benchmarks.load import Onlooker, Post
from benchmarks.servers import FORM, Server

USERS = (1_000, 1_000_000)
REVOKED = 100_000
_STAMP = "%Y-%m-%d %H:%M:%S"


def start(folder: Path, times: int = 5) -> tuple[float, float]:
    """Seconds from the command to the first answer: the first time, and later ones' median."""
    taken = []
    for _ in range(times + 1):
        with servers.running(servers.product(), folder, log_in=False) as server:
            taken.append(server.started_in)
    return taken[0], statistics.median(taken[1:])


def registrations(server: Server, seconds: float) -> tuple[load.Load, Onlooker]:
    """Clients that register as fast as they can, while one reads the resource."""
    fields = {"username": "NAME", "email": "NAME@example.com", "password": servers.PASSWORD}
    onlooker = Onlooker(server.port, "/resource", server.token)
    with onlooker.looking():
        done = load.flood(server.port, Post("/register", urlencode(fields), FORM), seconds)
    return done, onlooker


def refusals(server: Server, clients: int, seconds: float) -> tuple[list[float], list[float]]:
    """More clients than may wait, each logging in again once it is told when: how long a login
    and how long a 503 took, in milliseconds."""
    good: list[float] = []
    busy: list[float] = []
    until = time.monotonic() + seconds
    login = servers.product().login
    assert login is not None

    def insist() -> None:
        while time.monotonic() < until:
            began = time.perf_counter()
            body, headers = servers.post(server.port, login)
            taken = (time.perf_counter() - began) * 1000
            (good if "access_token" in body else busy).append(taken)
            time.sleep(float(headers.get("retry-after", 0)))

    threads = [threading.Thread(target=insist) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return good, busy


def judging() -> tuple[float, float]:
    """How long the costliest password to judge takes, in milliseconds: here, and zxcvbn itself."""
    program = """if True:
        import random, sys, time
        if sys.argv[1] == "ours":
            from app.passwords.strength import is_guessed_soon as judge
        else:
            from zxcvbn import zxcvbn as judge
        chance = random.Random(1)
        signs = "4@8({[<369!1|07$5+%2"
        crafted = ["".join(chance.choices(signs, k=72)) for _ in range(3)]
        crafted += ["12" * 36, "1" * 72, "{6|%9371<8!$5" * 5, crafted[0][:36] * 2]
        taken = []
        for password in ["warm up", *crafted]:
            began = time.perf_counter()
            judge(password, [])
            taken.append(time.perf_counter() - began)
        print(max(taken[1:]) * 1000)
    """
    ours, theirs = (
        subprocess.run(
            [sys.executable, "-c", program, whose], check=True, capture_output=True, text=True
        ).stdout
        for whose in ("ours", "zxcvbn's")
    )
    return float(ours), float(theirs)


def slow_clients(server: Server, count: int, seconds: float) -> tuple[Onlooker, Onlooker]:
    """An ordinary client without, and beside, connections that send a letter a second."""
    before = Onlooker(server.port, "/resource", server.token)
    with before.looking():
        time.sleep(seconds)
    beside = Onlooker(server.port, "/resource", server.token)
    with _dripping(server.port, count), beside.looking():
        time.sleep(seconds)
    return before, beside


@contextmanager
def _dripping(port: int, count: int) -> Iterator[None]:
    stop = threading.Event()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]

    def drip() -> None:
        head = b"GET /resource HTTP/1.1\r\nHost: slow\r\nX-Slow: "
        for letter in head + b"a" * 1000:
            for number, connection in enumerate(sockets):
                try:
                    connection.send(bytes([letter]))
                except OSError:  # the server had enough of it: a slow client comes again
                    sockets[number] = socket.create_connection(("127.0.0.1", port))
            if stop.wait(1):
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for connection in sockets:
            connection.close()


def users(mysql: str, folder: Path, logins: int = 40) -> list[dict[str, object]]:
    """What a login costs in a table of so many accounts, on MySQL; taken in turns."""
    rows = []
    with (
        servers.running(_on(mysql, "bench_few"), _folder(folder, "few")) as few,
        servers.running(_on(mysql, "bench_many"), _folder(folder, "many")) as many,
    ):
        for name, count in zip(("bench_few", "bench_many"), USERS, strict=True):
            _fill_users(f"{mysql}/{name}", count)
        taken: dict[int, list[float]] = {count: [] for count in USERS}
        for _ in range(logins):
            for count, server in zip(USERS, (few, many), strict=True):
                login = server.contender.login
                assert login is not None
                taken[count].append(load.median_ms(lambda: servers.post(server.port, login), 1))  # noqa: B023
        for name, count in zip(("bench_few", "bench_many"), USERS, strict=True):
            look_up, plan = _look_up(f"{mysql}/{name}", folder)
            login_ms = statistics.median(taken[count])
            rows.append({"users": count, "login": login_ms, "look_up": look_up, "plan": plan})
    return rows


def revocations(mysql: str, folder: Path) -> dict[str, float]:
    """What a long list of revocations costs a worker."""
    url = f"{mysql}/bench_revoked" if mysql else f"sqlite:///{folder / 'revoked.db'}"
    contender = servers.with_database(servers.product(), url)
    if mysql:
        make_database(mysql, "bench_revoked")
    found: dict[str, float] = {}
    with servers.running(contender, _folder(folder, "revoked")) as server:
        onlooker = Onlooker(server.port, "/resource", server.token)
        with onlooker.looking():
            time.sleep(10)
        found["p99 before"] = onlooker.p99
        _fill_revoked(url, REVOKED)
        time.sleep(4)
        onlooker = Onlooker(server.port, "/resource", server.token)
        with onlooker.looking():
            time.sleep(10)
        found["p99 with"] = onlooker.p99
    with _application(url, folder).app_context() as context:
        known = RevocationList(context.app)
        gc.collect()
        tracemalloc.start()
        known.refresh(db.engine)
        found["MB"], found["peak MB"] = (size / 1e6 for size in tracemalloc.get_traced_memory())
        tracemalloc.stop()
        began = time.process_time()
        for _ in range(10):
            known.refresh(db.engine)
        found["CPU ms a look"] = (time.process_time() - began) * 100
        number = 200_000
        slowest = max(timeit.repeat(lambda: known.check(-1), number=number, repeat=3))
        found["ns a look-up"] = slowest / number * 1e9
        db.engine.dispose()
    return found


def remembered_tokens(folder: Path) -> tuple[int, float]:
    """How many verified tokens a worker remembers at most, and the megabytes that they take."""
    with _application("", folder).app_context():
        end = utcnow() + timedelta(hours=1)
        made = [tokens.sign_access(1, number, end) for number in range(tokens.REMEMBERED_TOKENS)]
        gc.collect()
        tracemalloc.start()
        for token in made:
            tokens.read_access(token[:1] + token[1:])  # a string of its own, as from a request
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        db.engine.dispose()
    return len(made), size / 1e6


def _on(mysql: str, name: str) -> servers.Contender:
    make_database(mysql, name)
    return servers.with_database(servers.product(), f"{mysql}/{name}")


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def make_database(server: str, name: str) -> None:
    execute(f"{server}/mysql", f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")


def _fill_users(url: str, count: int) -> None:
    """Rows by the thousand from the database's own counter."""
    names = "concat('user', a.x * 1000 + b.x)"
    execute(
        url,
        "INSERT INTO user (username, email, password, username_key, email_key) "
        f"WITH RECURSIVE s(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM s WHERE x < 999) "
        f"SELECT {names}, concat({names}, '@example.org'), NULL, "
        f"{names}, concat({names}, '@example.org') FROM s a, s b WHERE a.x < {count // 1000}",
        "ANALYZE TABLE user",
    )


def _fill_revoked(url: str, count: int) -> None:
    then = utcnow() - timedelta(minutes=5)
    now, end = then.strftime(_STAMP), (then + timedelta(hours=1)).strftime(_STAMP)
    if url.startswith("sqlite"):
        now, end = f"{now}.000000", f"{end}.000000"
    execute(
        url,
        "INSERT INTO session (user_id, created_at, last_used_at, rotation, rotated_at, "
        "expires_at, access_expires_at, revoked_at, address, user_agent) "
        "WITH RECURSIVE s(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM s WHERE x < 999) "
        f"SELECT NULL, '{now}', '{now}', 0, '{now}', '{end}', '{end}', '{now}', '', '' "
        f"FROM s a, s b WHERE a.x < {count // 1000}",
    )


def _look_up(url: str, folder: Path) -> tuple[float, str]:
    """How long finding an account takes in the middle, and how MySQL says it looks for it."""
    with _application(url, folder).app_context():

        def find() -> None:
            find_by_name("user500")
            db.session.rollback()

        took = load.median_ms(find, 300)
        query = (
            "EXPLAIN FORMAT=TRADITIONAL "
            "SELECT id FROM user WHERE username_key = 'user500' OR email_key = 'user500'"
        )
        plan = db.session.execute(text(query)).mappings().all()
        db.session.remove()
        db.engine.dispose()
    return took, "; ".join(f"{row['type']} {row['key']}, {row['rows']} rows" for row in plan)


def _application(url: str, folder: Path) -> Flask:
    return create_app(Config(database_url=url, instance_path=folder / "instance"))


def execute(url: str, *statements: str) -> None:
    """Execute statements in one transaction, as far as the database knows one."""
    engine = create_engine(url.replace("mysql://", "mysql+pymysql://"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@contextmanager
def mysql_server() -> Iterator[str]:
    """The URL of a MySQL: BENCH_MYSQL_URL, or a container of the image that compose uses."""
    image, name = "mysql:9.7", f"loguserapp-bench-{time.monotonic_ns()}"
    command = ["docker", "run", "-d", "--rm", "--name", name, "-p", "127.0.0.1::3306"]
    # Its files are on a disk: a commit that reaches one is what a refresh waits for.
    command += ["-e", "MYSQL_ALLOW_EMPTY_PASSWORD=yes", image]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield ""
        return
    try:
        shown = subprocess.run(
            ["docker", "port", name, "3306/tcp"], check=True, capture_output=True, text=True
        )
        url = f"mysql://root@127.0.0.1:{shown.stdout.split()[0].rpartition(':')[2]}"
        _wait_for(url)
        yield url
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)


def _wait_for(url: str) -> None:
    for _ in range(240):
        try:
            execute(f"{url}/mysql", "SELECT 1")
        except Exception:  # noqa: BLE001 - whatever it is, the server is not there yet
            time.sleep(0.5)
        else:
            return
    raise RuntimeError("MySQL did not start")
