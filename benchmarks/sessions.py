"""The table of ending very many sessions at once: the UPDATE itself, and what the service adds."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from app import create_app
from app.accounts import disabling
from app.config import Config
from app.extensions import db
from app.models import utcnow
from app.sessions.revocation import revocation_list
from benchmarks import measures, report, servers

COUNTS = (50_000, 100_000)
OWNER = 1
_STAMP = "%Y-%m-%d %H:%M:%S.000000"


def table(folder: Path, mysql: str, rounds: int) -> str:
    """Measure on SQLite and on MySQL where there is one; medians of the rounds."""
    databases = {"SQLite": f"sqlite:///{folder / 'sessions.db'}"}
    if mysql:
        measures.make_database(mysql, "bench_sessions")
        databases["MySQL"] = f"{mysql}/bench_sessions"
    rows = []
    for name, url in databases.items():
        own = folder / f"sessions-{name}"
        own.mkdir()
        with servers.running(servers.with_database(servers.product(), url), own, log_in=False):
            pass  # it has made the tables
        measures.execute(
            url,
            "INSERT INTO user (id, username, email, username_key, email_key) "
            f"VALUES ({OWNER}, 'bench', 'bench@example.com', 'bench', 'bench@example.com')",
        )
        figures = [_measure(url, own, count, rounds) for count in COUNTS]
        updates, disabled = zip(*figures, strict=True)
        rows += [
            [f"{name}: UPDATE and COMMIT", *map(_shown, updates)],
            [f"{name}: disabling the account", *map(_shown, disabled)],
        ]
    if not mysql:
        rows.append(["MySQL", *["not here"] * len(COUNTS)])
    head = [f"ending an account's sessions, medians of {rounds}", *(f"{n:,}" for n in COUNTS)]
    return report.table(head, rows)


def _measure(url: str, folder: Path, count: int, rounds: int) -> tuple[float, float]:
    """Milliseconds of one UPDATE in SQL, and of disabling the account by the account rules."""
    app = create_app(Config(database_url=url, instance_path=folder / "instance"))
    engine = create_engine(url.replace("mysql://", "mysql+pymysql://"))
    ended = f"UPDATE session SET revoked_at = :now WHERE user_id = {OWNER} AND revoked_at IS NULL"

    def update() -> None:
        with engine.begin() as connection:
            found = connection.execute(text(ended), {"now": utcnow()}).rowcount
        assert found == count

    def disable() -> None:
        with app.app_context():
            disabling.set_disabled(OWNER, disabled=True)

    _fill(url, count)
    logging.getLogger("loguserapp").setLevel(logging.CRITICAL)  # the table alone is printed
    figures = tuple(
        statistics.median(_taken(url, work) for _ in range(rounds)) for work in (update, disable)
    )
    revocation_list.of(app).stop()
    with app.app_context():
        db.engine.dispose()
    engine.dispose()
    return figures[0], figures[1]


def _taken(url: str, work: Callable[[], None]) -> float:
    measures.execute(
        url, "UPDATE session SET revoked_at = NULL", "UPDATE user SET disabled_at = NULL"
    )
    began = time.perf_counter()
    try:
        work()
    except OperationalError:  # it took longer than the service waits for a statement
        return math.inf
    return (time.perf_counter() - began) * 1000


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if math.isfinite(milliseconds) else "refused after 2 s"


def _fill(url: str, count: int) -> None:
    """Living sessions of one account, by the thousand."""
    now = utcnow().strftime(_STAMP)
    end = (utcnow() + timedelta(hours=1)).strftime(_STAMP)
    measures.execute(
        url,
        "DELETE FROM session",
        "INSERT INTO session (user_id, created_at, last_used_at, rotation, rotated_at, "
        "expires_at, access_expires_at, address, user_agent) "
        "WITH RECURSIVE s(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM s WHERE x < 999) "
        f"SELECT {OWNER}, '{now}', '{now}', 0, '{now}', '{end}', '{end}', '192.0.2.1', 'bench' "
        f"FROM s a, s b WHERE a.x < {count // 1000}",
    )
