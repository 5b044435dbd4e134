"""D21: before the service's first start commands say so in one line, and create nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.sessions.keys import Keyring
from tests.support.environment import copy_program, environment_of_program

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def command(program: Path, tmp_path: Path) -> Command:
    """Run ./loguserapp from another folder; whatever it creates fails the test."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        before = contents(program), contents(tmp_path)
        done = subprocess.run(
            [program / "loguserapp", *arguments], cwd=tmp_path, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, env=environment_of_program(**settings),
        )  # fmt: skip
        assert (contents(program), contents(tmp_path)) == before
        return done

    return run


def contents(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def assert_refused(done: subprocess.CompletedProcess[str], start: str) -> None:
    """One line on standard error, and the way out in it."""
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert line.startswith(f"Error: {start}")
    assert "make run" in line


@pytest.mark.parametrize("arguments", [["--help"], ["users", "--help"], ["db", "--help"]], ids=str)
def test_help_creates_nothing(command: Command, arguments: list[str]) -> None:
    done = command(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Commands:" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["users", "list"], ["sessions", "list", "dummyuser"], ["keys", "list"], ["keys", "rotate"],
     ["purge"], ["run"], ["shell"]],
    ids=" ".join,
)  # fmt: skip
def test_no_command_creates_an_instance_folder(
    command: Command, program: Path, arguments: list[str]
) -> None:
    start = f"There is no instance folder of the service at {program / 'instance'}."
    assert_refused(command(*arguments), start)


@pytest.mark.parametrize("arguments", [["db", "current"], ["db", "upgrade"]], ids=" ".join)
def test_no_migration_creates_an_instance_folder(
    command: Command, program: Path, arguments: list[str]
) -> None:
    file = program / "instance" / "loguserapp.db"
    assert_refused(command(*arguments), f"There is no database at {file}.")


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """An instance folder with keys and without a database."""
    Keyring(tmp_path / "instance" / "keyring.json", 900)
    return tmp_path / "instance"


@pytest.mark.parametrize("name", ["run", "shell"])
def test_a_server_of_flask_needs_the_secret_of_the_service(
    command: Command, instance: Path, name: str
) -> None:
    environment = {"INSTANCE_PATH": str(instance)}
    (line,) = command(name, **environment).stderr.splitlines()
    assert line == (
        f"Error: There is no secret_key in {instance}. Set SECRET_KEY to that of the service."
    )
    refused = command(name, **environment, SECRET_KEY="a secret of more than 32 bytes, not random")
    assert_refused(refused, f"There is no database at {instance / 'loguserapp.db'}.")


@pytest.mark.parametrize("arguments", [["users", "list"], ["db", "current"]], ids=" ".join)
@pytest.mark.parametrize(
    "url", [{}, {"DATABASE_URL": "sqlite:///other.db"}], ids=["default", "own"]
)
def test_no_reading_command_creates_a_database(
    command: Command, instance: Path, arguments: list[str], url: dict[str, str]
) -> None:
    done = command(*arguments, INSTANCE_PATH=str(instance), **url)
    name = "other.db" if url else "loguserapp.db"
    assert_refused(done, f"There is no database at {instance / name}.")


@pytest.mark.parametrize("arguments", [["users", "list"], ["purge"]], ids=" ".join)
def test_a_database_without_tables_is_told_of_in_one_line(
    command: Command, instance: Path, arguments: list[str]
) -> None:
    (instance / "loguserapp.db").touch()
    done = command(*arguments, INSTANCE_PATH=str(instance))
    assert_refused(done, "The database has no tables yet.")
