"""What several files say about the project is the same in each."""

from __future__ import annotations

import re
import tomllib

from app.system import api_description
from tests.support.environment import ROOT
from tools import database_diagram as diagram

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_the_newest_of_the_changelog_and_that_of_the_api() -> None:
    newest, *_ = re.findall(
        r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    api = api_description.load()["info"]["version"]
    assert [newest, api] == [PROJECT["version"]] * 2


def test_the_workflow_tests_every_python_of_the_metadata() -> None:
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    (tested,) = re.findall(r"python: \[(.+)\]", workflow)
    named = [row.rpartition(" ")[2] for row in PROJECT["classifiers"] if ":: 3." in row]
    assert tested.replace('"', "").split(", ") == named
    images = re.findall(r"^FROM python:([\d.]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert images
    assert set(images) <= set(named)


def test_the_picture_of_the_tables_is_that_of_the_models() -> None:
    assert diagram.TARGET.read_text() == diagram.svg(), "python -m tools.database_diagram"
