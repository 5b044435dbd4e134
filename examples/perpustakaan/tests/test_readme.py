"""What the README says is so: SQL and its answers, files, addresses, numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import HERE
from described import DOCUMENT
from readme_sql import PAGES, answers_of, ask_mysql, statements_of

from perpustakaan import config, lending
from tests.support.databases import select

IDS = [page.name for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_mysql_answers_as_the_page_says(page: Path, mysql_server: str) -> None:
    blocks = statements_of(page)
    words = {word for block in blocks for word in re.findall(r"^[A-Z]+", block, re.MULTILINE)}
    assert {"INSERT", "SELECT", "UPDATE", "DELETE"} <= words
    found, expected = ask_mysql(mysql_server, blocks), answers_of(page)
    if "MariaDB" in str(select(f"{mysql_server}/", "SELECT version()")):
        # It refuses the same, and words it otherwise.
        found, expected = ([re.sub(r"ERROR .*", "ERROR", each) for each in answers]
                           for answers in (found, expected))  # fmt: skip
    assert found == expected


def test_both_pages_ask_the_same() -> None:
    english, indonesian = (statements_of(page) for page in PAGES)
    assert english == indonesian


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_file_of_the_program_is_explained(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = [
        file for folder in ("perpustakaan", "perpustakaan/api", "perpustakaan/pages", "migrations")
        for file in (HERE / folder).glob("*.py") if file.name != "__init__.py"
    ]  # fmt: skip
    missing = [str(file.relative_to(HERE)) for file in files if f"`{file.name}`" not in text]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_address_of_the_api_is_in_the_table(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("{id}", "{}")
    for path, item in DOCUMENT["paths"].items():
        for method in item:
            assert f"`{method.upper()} {re.sub(r'{[a-z_]+}', '{}', path)}`" in text, path


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_the_rules_are_those_of_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert str(lending.LOAN_DAYS) in text
    assert (f"{lending.FINE_PER_DAY:,}" in text) or ("1.000" in text)
    settings = re.findall(r"^([A-Z_]+) {2,}", config.__doc__ or "", re.MULTILINE)
    assert len(settings) >= 6
    assert [name for name in settings if f"`{name}`" not in text] == []
