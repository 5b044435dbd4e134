"""One spelling for each name, and its key beside it wherever it is written."""

from __future__ import annotations

import ast

import pytest

from app.text import lookup_key, with_key
from tests.support.environment import ROOT

KEYS = {"username_key", "email_key"}


@pytest.mark.parametrize(
    ("text", "same"),
    [("Bob", "bOB"), ("Jose\u0301", "JOS\u00c9"), ("STRASSE", "stra\u00dfe")],
)
def test_spellings_of_one_name_have_one_key(text: str, same: str) -> None:
    assert lookup_key(text) == lookup_key(same)


def test_a_name_is_written_with_its_key() -> None:
    assert with_key("username", "Bob") == {"username": "Bob", "username_key": "bob"}
    assert with_key("email", "Bob@x.org") == {"email": "Bob@x.org", "email_key": "bob@x.org"}


def test_without_an_email_there_is_no_key() -> None:
    assert with_key("email", None) == {"email": None, "email_key": None}


def test_no_key_is_written_by_hand() -> None:
    """As an argument of a row or of `values`, or as an entry of a dict."""
    written = {
        f"{path.relative_to(ROOT)}:{node.value.lineno}"
        for path in (ROOT / "app").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.keyword) and node.arg in KEYS
    } | {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "app").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        and KEYS & {key.value for key in node.keys if isinstance(key, ast.Constant)}
    }
    assert written == set()
