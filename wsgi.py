"""What a WSGI server and the `flask` command load."""

from __future__ import annotations

import sys

from app import create_app
from app.config import ConfigError

try:
    app = create_app()
except ConfigError as error:
    sys.exit(f"loguserapp: {error}")
