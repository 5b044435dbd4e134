"""The demo's identity provider beside the server, for `make run SOCIAL_DEMO=1`."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from app.config import Config, ConfigError

NAME = "Demo provider"
CLIENT_ID = "loguserapp"


def check(config: Config) -> None:
    """Return if the demo's place is free.

    Raises:
        ConfigError: a provider of one's own stands in it, or the demo is not installed.

    """
    if config.social_demo and find_spec("demo") is None:
        raise ConfigError("SOCIAL_DEMO needs the folder demo/, which the image does not have.")
    if config.social_demo and config.oidc_client_id:
        raise ConfigError("SOCIAL_DEMO takes the place of the OIDC_ settings: leave those out.")


@contextmanager
def beside(config: Config) -> Iterator[None]:
    """Run the demo's provider while the server runs, if the settings ask for it."""
    if not config.social_demo:
        yield
        return
    secret = secrets.token_urlsafe(32)
    # It ends when its input does, so also when this process is killed.
    with subprocess.Popen(
        [sys.executable, "-m", "demo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        callback = f"{config.public_url}/login/oidc/callback"
        print(secret, callback, sep="\n", file=process.stdin, flush=True)
        issuer = process.stdout.readline().strip()
        os.environ |= {
            "OIDC_NAME": NAME,
            "OIDC_ISSUER": issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": secret,
            "OIDC_VERIFIED_DOMAINS": "example.com",
        }
        try:
            yield
        finally:
            process.terminate()
