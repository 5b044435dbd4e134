"""The migrations as SQL for an empty MySQL server: `python -m app.server.dump_sql` prints it."""

from __future__ import annotations

import io
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from flask_migrate import upgrade

from app import create_app
from app.config import Config
from app.core.migrations import bind_flask_migrate

_HEADER = """\
-- The database of loguserapp for an empty MySQL server: mysql < sql/loguserapp.sql
-- Generated from the migrations by `make sql`; change those, not this.

CREATE DATABASE IF NOT EXISTS loguserapp CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
USE loguserapp;
"""


def sql() -> str:
    """Every migration in order, as statements; no server is asked."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as output:
        config = Config(
            database_url="mysql://loguserapp@localhost/loguserapp", instance_path=Path(folder)
        )
        app = create_app(config)
        bind_flask_migrate(app)
        with app.app_context():
            upgrade(sql=True)
    return f"{_HEADER}\n{output.getvalue().strip()}\n"


if __name__ == "__main__":
    sys.stdout.write(sql())
