"""`python -m perpustakaan`: migrate, then serve on http://127.0.0.1:8006."""

from __future__ import annotations

import os
import sys

from flask_migrate import upgrade
from granian import Granian
from granian.constants import Interfaces

from perpustakaan import create_app
from perpustakaan.config import ConfigError


def main() -> None:
    """Migrate the database and serve until a signal ends it."""
    try:
        app = create_app()
    except ConfigError as error:
        sys.exit(f"perpustakaan: {error}")
    with app.app_context():
        upgrade()
    print(f"Perpustakaan is at {app.config['APP_URL']}/", flush=True)  # noqa: T201
    Granian(
        "perpustakaan:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        address=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8006")),
        workers=int(os.environ.get("WORKERS", "1")),
        blocking_threads=16,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
