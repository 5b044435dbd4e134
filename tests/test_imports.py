"""What import-linter cannot say of who imports whom; its contracts stand in pyproject.toml."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.environment import ROOT

# What of Flask the rules may know: their application, and no request.
FLASK = {"Flask", "current_app"}
STARTS = {"app", "app.server.__main__", "app.server.dump_sql", "app.server.migrate", "wsgi"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in [*sorted((ROOT / "app").rglob("*.py")), ROOT / "wsgi.py"]}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every import as (module, name), those within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from ((node.module or "", alias.name) for alias in node.names)


# Everything but where requests are answered, commands run and the application is put together.
RULES = [
    name
    for name in FILES
    if not name.startswith(("app.web", "app.cli", "app.server"))
    and not {"routes", "forms"} & set(name.split("."))
    and name not in {"app", "app.extensions", "wsgi"}
]


@pytest.mark.parametrize("module", RULES)
def test_the_rules_know_no_request_and_no_page(module: str) -> None:
    used = set(imports(FILES[module]))
    assert {name for package, name in used if package == "flask"} <= FLASK
    outside = ("flask.", "flask_wtf", "jinja2", "werkzeug", "wtforms")
    assert [package for package, _ in used if package.startswith(outside)] == []


@pytest.mark.parametrize("module", [name for name in FILES if name not in STARTS])
def test_only_a_start_makes_an_application(module: str) -> None:
    assert ("app", "create_app") not in set(imports(FILES[module]))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "migrations" / "versions").glob("*.py")), ids=lambda path: path.stem
)
def test_a_migration_stays_what_it_was_when_the_program_changes(path: Path) -> None:
    assert {module.partition(".")[0] for module, _ in imports(path)} & {"app", "wsgi"} == set()


def test_no_folder_of_the_program_has_more_than_fifteen_modules() -> None:
    folders = Counter(path.parent.relative_to(ROOT) for path in FILES.values())
    assert {str(folder): count for folder, count in folders.items() if count > 15} == {}


@pytest.mark.parametrize("module", FILES)
def test_the_program_imports_neither_its_tests_nor_what_stands_beside_it(module: str) -> None:
    beside = {"benchmarks", "demo", "examples", "migrations", "tests", "tools"}
    assert {name.partition(".")[0] for name, _ in imports(FILES[module])} & beside == set()


# But for the tests of an example, which start the service to run it against.
EXAMPLES = [
    path
    for path in sorted((ROOT / "examples").rglob("*.py"))
    if not {"node_modules", "vendor", "tests"} & set(path.relative_to(ROOT).parts)
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_example_stands_alone(path: Path) -> None:
    ours = {"app", "benchmarks", "demo", "migrations", "tests", "tools", "wsgi"}
    assert {module.partition(".")[0] for module, _ in imports(path)} & ours == set()


def test_the_two_examples_in_python_fetch_alike() -> None:
    """Each is one file to copy, so that what they share stands in both."""

    def shared(kit: str) -> dict[str, str]:
        tree = ast.parse((ROOT / "examples" / kit / "loguserapp.py").read_text(encoding="utf-8"))
        names = {"Document", "fetch", "hang_up", "read_keys", "read_revoked"}
        definitions = (ast.ClassDef, ast.FunctionDef)
        found = [node for node in tree.body if isinstance(node, definitions)]
        return {node.name: ast.dump(node) for node in found if node.name in names}

    assert len(shared("flask")) == 5
    assert shared("flask") == shared("django")


@pytest.mark.system
def test_a_server_on_sqlite_without_providers_loads_what_it_uses_alone(tmp_path: Path) -> None:
    loaded = "import sys, app.server.__main__, wsgi; print(*sys.modules)"
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
