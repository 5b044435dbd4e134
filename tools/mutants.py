"""Mutation testing: change the code by one operator, number or statement; a test must notice.

    nice .venv/bin/python -m tools.mutants app/limits app/core/one_time.py --tests tests/limits

Each mutant is imported in place of its module in a process of its own, which runs only those tests
that reach the changed line, until one fails. Survivors are printed as a diff. Log calls,
annotations, docstrings and the arguments of decorators are left alone. Other than mutmut 3 this
changes constants of modules and decorated functions too.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import coverage
import pytest

_OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "--assert=plain"]
_SECONDS = 60
_AT_ONCE = 2
# Imported once, before the processes of the mutants are forked from this one.
_SLOW_IMPORTS = (
    "authlib", "bcrypt", "cryptography.fernet", "email_validator", "flask_bcrypt",
    "flask_jwt_extended", "flask_migrate", "flask_sqlalchemy", "flask_wtf", "granian", "hypothesis",
    "jwt", "limits", "oidc_provider_mock", "prometheus_client", "pymysql", "requests",
    "schemathesis", "sqlalchemy.orm", "wtforms", "zxcvbn",
)  # fmt: skip
_OPPOSITES: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        path: the module's file.
        line: where the change is.
        source: the whole module, changed.

    """

    path: Path
    line: int
    source: str

    def diff(self) -> str:
        """What is different, without comments, which a syntax tree has none of."""
        before = ast.unparse(ast.parse(self.path.read_text("utf-8")))
        lines = difflib.unified_diff(
            before.splitlines(), self.source.splitlines(), lineterm="", n=1
        )
        return "\n".join(list(lines)[2:])


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every mutant of a module."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in list(_changeable(tree)):
        for changed in _changes(node):
            # The copy has its nodes in the same order.
            copied = copy.deepcopy(tree)
            number = list(ast.walk(tree)).index(node)
            whole = _Replace(list(ast.walk(copied))[number], changed).visit(copied)
            source = ast.unparse(ast.fix_missing_locations(whole))
            yield Mutant(path, getattr(node, "lineno", 1), source)


class _Replace(ast.NodeTransformer):
    def __init__(self, node: ast.AST, by: ast.AST) -> None:
        self._node, self._by = node, by

    def visit(self, node: ast.AST) -> ast.AST:
        return self._by if node is self._node else self.generic_visit(node)


def _changeable(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run; of an annotated thing or a decorated one, the thing."""
    if isinstance(node, ast.Expr) and _is_quiet(node.value):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _changeable(child)


def _is_quiet(value: ast.expr) -> bool:
    """Whether a statement is a docstring or a line of the log."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return isinstance(value.func.value, ast.Name) and value.func.value.id == "_log"
    return isinstance(value, ast.Constant)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[one]) if type(one) in _OPPOSITES:
            yield _with(node, ops=[_OPPOSITES[type(one)]()])
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in _OPPOSITES:
            yield _with(node, op=_OPPOSITES[type(op)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield _with(node, value=not value)
        case ast.Constant(value=int(value) | float(value)):
            yield _with(node, value=value + 1)
        case ast.Constant(value=str(value)):
            yield _with(node, value=f"{value}X")
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            yield _with(node, value=ast.Constant(None))
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield ast.copy_location(ast.Pass(), node)
        case ast.If(test=ast.Name() | ast.Call() | ast.Attribute()):
            yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


class _Loader(importlib.abc.InspectLoader):
    """Imports a mutant where its module is asked for."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        """The changed source."""
        return self._mutant.source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """The changed code."""
        return compile(self._mutant.source, str(self._mutant.path), "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._name = ".".join(mutant.path.with_suffix("").parts)
        self._loader = _Loader(mutant)

    def find_spec(
        self,
        fullname: str,
        path: object,  # noqa: ARG002
        target: object = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """The mutant's, for the name of its module."""
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self._loader)


def tests_by_line(tests: Sequence[str]) -> dict[tuple[str, int], list[str]]:
    """Run the tests as they are, and return which of them reach which line of which file.

    Raises:
        CalledProcessError: one fails already.

    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage"
        command = [
            sys.executable, "-m", "pytest", *_OPTIONS, "--cov=app", "--cov-context=test",
            "--cov-report=", "--cov-fail-under=0", "-n", "2", *tests,
        ]  # fmt: skip
        subprocess.run(command, check=True, env=os.environ | {"COVERAGE_FILE": str(file)})
        data = coverage.CoverageData(str(file))
        data.read()
        found: dict[tuple[str, int], set[str]] = {}
        for name in data.measured_files():
            for line, contexts in data.contexts_by_lineno(name).items():
                ids = {context.rpartition("|")[0] for context in contexts if "|" in context}
                found.setdefault((name, line), set()).update(ids)
    return {place: sorted(ids) for place, ids in found.items()}


def start(mutant: Mutant, tests: Sequence[str]) -> int:
    """Run the tests on a mutant in a new process, which fails if one of them does."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        signal.alarm(_SECONDS)  # a mutant that never ends is noticed
        sys.meta_path.insert(0, _Finder(mutant))
        status = int(pytest.main([*_OPTIONS, *tests]))
    finally:
        os._exit(status)  # the parent's code must not go on here


def survivors(
    mutants: Sequence[Mutant], tests_of: Callable[[Mutant], Sequence[str]]
) -> Iterator[tuple[Mutant, str]]:
    """The mutants that no test fails on, as they are found, and whether the tests ended."""
    running: dict[int, Mutant] = {}
    waiting = list(reversed(mutants))
    while waiting or running:
        while waiting and len(running) < _AT_ONCE:
            mutant = waiting.pop()
            running[start(mutant, tests_of(mutant))] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if status == 0:
            yield mutant, "survived"
        elif os.WIFSIGNALED(status):
            yield mutant, "took too long"


def main() -> None:
    """Judge every mutant of the files and folders, and print the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--tests", nargs="+", required=True, help="what pytest is to run")
    parser.add_argument("--deselect", default="not mysql", help="pytest's -k")
    parser.add_argument("--every", type=int, default=1, help="judge every nth mutant alone")
    arguments = parser.parse_args()
    files = [
        file
        for source in arguments.sources
        for file in (sorted(source.glob("*.py")) if source.is_dir() else [source])
    ]
    reaching = tests_by_line([*arguments.tests, "-k", arguments.deselect])
    of_file: dict[str, set[str]] = {}
    for (name, _), ids in reaching.items():
        of_file.setdefault(name, set()).update(ids)
    for name in _SLOW_IMPORTS:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    mutants = [mutant for file in files for mutant in mutants_of(file)][:: arguments.every]

    def tests_of(mutant: Mutant) -> Sequence[str]:
        # What runs at the import is reached by no test; then by each that reaches the file.
        name = str(mutant.path.resolve())
        return reaching.get((name, mutant.line)) or sorted(of_file.get(name, ()))

    counts: Counter[str] = Counter()
    for mutant, verdict in survivors(mutants, tests_of):
        counts[verdict] += 1
        print(f"\n{verdict}: {mutant.path}:{mutant.line}\n{mutant.diff()}", flush=True)
    killed = len(mutants) - counts.total()
    print(f"\n{len(mutants)} mutants: {killed} killed, {dict(counts)}")


if __name__ == "__main__":
    main()
