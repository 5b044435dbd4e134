"""Every fixture of `tests/support`, and the mark of what runs real servers."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.support.environment import ROOT

pytest_plugins = [
    "tests.support.databases",
    "tests.support.application",
    "tests.support.servers",
    "tests.support.mail",
    "tests.support.chromium",
    "tests.support.php",
]


QUICK = "not system and not examples and not cluster"  # what a bare pytest runs


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only the quick tests are to run, import no others, nor the tools that they need."""
    slow = {ROOT / "tests" / "system", ROOT / "tests" / "examples"}
    is_left_out = collection_path in slow and config.option.markexpr == QUICK
    return True if is_left_out else None


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays until the end: modules and tests."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs real servers and browsers, so that the rules alone can be tested soon."""
    for item in items:
        if "system" in item.path.relative_to(ROOT).parts:
            item.add_marker("system")
