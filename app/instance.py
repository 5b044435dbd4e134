"""Files that only this service may read: made once, shared by all its workers."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.config import ConfigError


def make_folder(path: Path) -> None:
    """Make the instance folder, for the owner alone, where there is none.

    Raises:
        ConfigError: it cannot be made.

    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"INSTANCE_PATH {path} cannot be used: {error.strerror}.") from None


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the file's content, making it first where there is none.

    Of several processes that start together one makes the file and all read the same content.

    Args:
        path: where the file is; its folder is made as well, for the owner alone.
        make: makes the content; called at most once.

    Raises:
        OSError: the folder cannot be written, or the file cannot be read.
        ConfigError: every user of the machine may read or write the file.

    """
    if not path.exists():
        draft = _write_beside(path, make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    _refuse_public(path)
    return path.read_bytes()


def replace(path: Path, content: bytes) -> None:
    """Put new content in the file's place; a reader sees the old content or the new, whole."""
    _write_beside(path, content).replace(path)


def _refuse_public(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & stat.S_IRWXO:
        raise ConfigError(
            f"{path} is open to every user of this machine: chmod 600 it, and replace it if "
            "others could have read it."
        )


def _write_beside(path: Path, content: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
