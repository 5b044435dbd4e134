"""What a WSGI server and the `flask` command load."""

from __future__ import annotations

import sys

from app import cli, create_app
from app.config import ConfigError

try:
    app = create_app(create_instance=not cli.is_command())
except (ConfigError, OSError) as error:
    sys.exit(f"loguserapp: {error}")
