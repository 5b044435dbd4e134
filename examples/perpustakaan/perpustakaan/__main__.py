"""`python -m perpustakaan`: migrate, then serve on http://127.0.0.1:8006."""

from __future__ import annotations

import os
import sys

from flask_migrate import upgrade
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from sqlalchemy.exc import SQLAlchemyError

from perpustakaan import create_app
from perpustakaan.config import ConfigError


def main() -> None:
    """Migrate the database and serve until a signal ends it."""
    try:
        port, workers = _number("PORT", 8006, 65535), _number("WORKERS", 1, 64)
        app = create_app()
    except ConfigError as error:
        sys.exit(f"perpustakaan: {error}")
    try:
        with app.app_context():
            upgrade()
    except SQLAlchemyError as error:
        sys.exit(f"perpustakaan: the database: {getattr(error, 'orig', error)}")
    print(f"Perpustakaan is at {app.config['APP_URL']}/", flush=True)  # noqa: T201
    Granian(
        "perpustakaan:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        address=os.environ.get("HOST", "127.0.0.1"),
        port=port,
        workers=workers,
        # More threads than cores: they mostly wait for the database. Granian warns of that.
        blocking_threads=16,
        log_level=LogLevels.error,
        log_access=False,
    ).serve()


def _number(name: str, default: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise ConfigError(f"{name}: not a number from 1 to {most}")
    return int(text)


if __name__ == "__main__":
    main()
