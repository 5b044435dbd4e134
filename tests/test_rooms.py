"""Who may import whom, read from the code itself."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What stands below: each knows nothing of the rooms above it.
GROUND = {
    "app.config", "app.database", "app.extensions", "app.instance", "app.models", "app.network",
    "app.pool", "app.sqlite",
}  # fmt: skip
# What a route is made of.
TOOLS = GROUND - {"app.models", "app.pool", "app.sqlite", "app.instance"} | {
    "app.account_page", "app.errors", "app.forms", "app.guards", "app.metrics", "app.negotiation",
    "app.providers", "app.readiness", "app.upgrade",
}  # fmt: skip
# What of Flask the account rules may know: their application, and no request.
FLASK = {"Flask", "current_app"}
WIRING = {"app", "app.server", "app.schema", "app.upgrade", "wsgi"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in [*sorted((ROOT / "app").rglob("*.py")), ROOT / "wsgi.py"]}
ACCOUNTS = [name for name in FILES if name.startswith("app.accounts.")]
ROUTES = [name for name in FILES if name.startswith("app.routes.")]


def imports(path: Path, *, late: bool = True) -> Iterator[tuple[str, str]]:
    """Every import as (module, name), those within functions only where asked for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from ((node.module or "", alias.name) for alias in node.names)


def rooms(path: Path, *, late: bool = True) -> set[str]:
    """The modules of ours that a file imports."""
    found = set()
    for module, name in imports(path, late=late):
        if module.partition(".")[0] in {"app", "wsgi", "tests", "migrations"}:
            inner = f"{module}.{name}"
            found.add(inner if inner in FILES else module)
    return found


def test_the_rooms_are_there() -> None:
    assert len(ACCOUNTS) > 5
    assert len(ROUTES) > 5
    assert set(FILES) > GROUND


@pytest.mark.parametrize("room", ACCOUNTS)
def test_the_account_rules_know_nothing_of_the_web(room: str) -> None:
    assert rooms(FILES[room]) - {*ACCOUNTS, "app.accounts"} <= GROUND
    used = set(imports(FILES[room]))
    assert {name for module, name in used if module.startswith("flask")} & {
        "request", "session", "g", "Response", "render_template", "url_for", "jsonify", "redirect",
    } == set()  # fmt: skip
    assert {name for module, name in used if module == "flask"} <= FLASK
    assert [module for module, _ in used if module.startswith(("werkzeug", "wtforms"))] == []


@pytest.mark.parametrize("room", ROUTES)
def test_a_route_knows_no_other_route_and_no_table(room: str) -> None:
    assert rooms(FILES[room]) - {*ACCOUNTS, "app.accounts"} <= TOOLS


@pytest.mark.parametrize("room", sorted(GROUND))
def test_the_ground_carries_everything_and_leans_on_nothing_above(room: str) -> None:
    assert rooms(FILES[room]) <= GROUND


@pytest.mark.parametrize("room", [room for room in FILES if room not in {"app", *ROUTES}])
def test_only_the_wiring_knows_the_routes(room: str) -> None:
    assert rooms(FILES[room]) & {*ROUTES, "app.routes"} == set()


@pytest.mark.parametrize("room", [room for room in FILES if room not in WIRING])
def test_only_a_start_makes_an_application(room: str) -> None:
    assert ("app", "create_app") not in set(imports(FILES[room]))


def test_the_table_of_failures_knows_the_refusals_of_the_rules_alone() -> None:
    known = {room for room in rooms(FILES["app.errors"]) if room in ACCOUNTS}
    assert known == {"app.accounts.errors"}


def test_no_room_needs_itself_to_be_built() -> None:
    graph = {name: rooms(path, late=False) - {"app"} for name, path in FILES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(FILES)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "migrations" / "versions").glob("*.py")), ids=lambda path: path.stem
)
def test_a_migration_stays_what_it_was_when_the_program_changes(path: Path) -> None:
    assert rooms(path) == set()


@pytest.mark.parametrize("room", FILES)
def test_the_program_does_not_import_its_tests(room: str) -> None:
    assert [r for r in rooms(FILES[room]) if r.startswith(("tests", "migrations"))] == []


def test_a_server_on_sqlite_without_providers_loads_what_it_uses_alone(tmp_path: Path) -> None:
    loaded = "import sys, app.server, wsgi; print(*sys.modules)"
    url = f"sqlite:///{tmp_path}/loguserapp.db"
    environment = os.environ | {"INSTANCE_PATH": str(tmp_path), "DATABASE_URL": url}
    found = subprocess.run(
        [sys.executable, "-c", loaded],
        cwd=ROOT, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    idle = {
        "alembic", "mako", "flask_migrate", "authlib", "joserfc", "requests", "zxcvbn",
        "pymysql",
    }  # fmt: skip
    assert set(found.stdout.split()) & idle == set()
