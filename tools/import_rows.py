"""Measures how fast accounts are imported: `python -m tools.import_rows 100000 [DATABASE_URL]`.

Imports that many rows from a CSV file into an empty database of its own (of MySQL the URL names the
server: mysql://root@127.0.0.1/), then again, when all of them are here already. Prints the seconds,
those that a processor worked, the rows a second and the largest resident memory of each command.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.databases import migrate_database, mysql_database, select

# By PHP's password_hash, as Laravel calls it.
_HASH = "$2y$10$XubcZ86PZiv0j8W2OBKBke8LU.3JXWNNSKIo8VrpqbItwg8a55OEu"


def main() -> None:
    """Measure on the database that is named, or on SQLite."""
    rows = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "users.csv"
        with file.open("w") as lines:
            lines.write("username,email,password\n")
            lines.writelines(f"person{n},person{n}@example.com,{_HASH}\n" for n in range(rows))
        if len(sys.argv) > 2:  # noqa: PLR2004
            server = sys.argv[2].replace("mysql://", "mysql+pymysql://", 1).rstrip("/")
            with mysql_database(server) as url:
                _measure(url, folder, file, rows)
        else:
            _measure(f"sqlite:///{folder / 'rows.db'}", folder, file, rows)


def _measure(url: str, folder: Path, file: Path, rows: int) -> None:
    instance = folder / "instance"
    migrate_database(url, instance)
    for turn in ("imported", "here already"):
        began, busy = time.monotonic(), _processor_seconds()
        _import(url, instance, file)
        seconds, busy = time.monotonic() - began, _processor_seconds() - busy
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(
            f"{rows:,} rows {turn}: {seconds:.1f} s ({busy:.1f} s of a processor), "
            f"{rows / seconds:,.0f} a second, {largest} MB"
        )
    ((found,),) = select(url, "SELECT count(*) FROM user")
    if found != rows:
        sys.exit(f"{found:,} accounts are there")


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _import(url: str, instance: Path, file: Path) -> None:
    settings = {"DATABASE_URL": url, "INSTANCE_PATH": str(instance), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "flask", "users", "import", str(file), "--yes"]
    subprocess.run(command, check=True, env=settings, stdout=subprocess.DEVNULL, stderr=sys.stderr)


if __name__ == "__main__":
    main()
