"""The documents name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.environment import ROOT

_EXAMPLES = [*(ROOT / "examples").glob("*.md"), *(ROOT / "examples").glob("*/*.md")]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *_EXAMPLES])
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")
# What the operator makes.
_MADE_LATER = {"deploy/tls", "deploy/tls/", "deploy/smtp_password"}
# A path in backticks whose first part is a folder of the repository, or of the example.
_PATH = re.compile(r"`((?:app|tests|docs|deploy|migrations|tools|demo|benchmarks)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_in_a_page_exists(page: Path) -> None:
    paths = _PATH.findall(page.read_text(encoding="utf-8"))
    base = page.parent if page in _EXAMPLES else ROOT
    assert [p for p in set(paths) - _MADE_LATER if not (base / p).exists()] == []
