"""Files that only this service may read, created once and shared by all workers."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.config import ConfigError

# The name of the master secret in the instance folder.
SECRET_KEY = "secret_key"


def make_folder(path: Path) -> None:
    """Create the instance folder with mode 0700 if it does not exist.

    Raises:
        ConfigError: the folder cannot be created.

    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"INSTANCE_PATH {path} cannot be used: {error.strerror}.") from None


def read_or_create(path: Path, make: Callable[[], bytes], *, create: bool = True) -> bytes:
    """Return the file's content, making it first where there is none.

    Of several processes that start together one makes the file and all read the same content.

    Args:
        path: where the file is; its folder is made as well, for the owner alone.
        make: makes the content; called at most once.
        create: False writes nothing: without a file, what `make` gives is returned.

    Raises:
        OSError: the folder cannot be written, or the file cannot be read.
        ConfigError: every user of the machine may read or write the file.

    """
    if not path.exists():
        if not create:
            return make()
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
    """Replace a file atomically: a reader sees the old content or the new, never a mix."""
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
