"""Waits until there is a primary, then migrates: the step `migrate` of the cluster."""

from __future__ import annotations

import http.client
import sys
import time
from http import HTTPStatus

from app.server import migrate

_PATIENCE = 180.0  # seconds: three members that make their databases on a slow disk


def main() -> None:
    """Ask HAProxy twice a second."""
    end = time.monotonic() + _PATIENCE
    while not _has_primary():
        if time.monotonic() > end:
            sys.exit(
                "loguserapp: no member can be written to. `docker compose logs steward` says why"
            )
        time.sleep(0.5)
    migrate.main()


def _has_primary() -> bool:
    connection = http.client.HTTPConnection("mysql", 8404, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main()
