"""docs/security/README.md: every item once, every named test there."""

from __future__ import annotations

import ast
import re
from functools import cache

from tests.support.environment import ROOT

ITEMS = [*map(str, range(1, 95)), *"ABCDEF"]
PAGE = (ROOT / "docs" / "security" / "README.md").read_text()
ROWS = re.findall(r"^\| (\w+) \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)[1:]


def test_every_item_is_in_the_table_once() -> None:
    assert [item for item, _, _ in ROWS] == ITEMS


def test_every_row_names_a_test_or_says_what_is_not_covered() -> None:
    for item, _, shown in ROWS:
        for part in shown.split("<br>"):
            named = re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", part)
            assert named or part.startswith("not covered: "), item


def test_every_named_test_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)
    assert named
    assert [(path, name) for path, name in named if name not in functions(path)] == []


@cache
def functions(path: str) -> set[str]:
    file = ROOT / path
    if not file.exists():
        return set()
    nodes = ast.parse(file.read_text()).body
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
