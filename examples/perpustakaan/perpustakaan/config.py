"""The settings: environment variables, each also as `NAME_FILE`, the path of a file that holds it.

DATABASE_URL              SQLite in INSTANCE_PATH; `mysql://` means `mysql+pymysql://`
INSTANCE_PATH             ./instance: the embedded database and a generated secret
SECRET_KEY                generated into INSTANCE_PATH; at least 32 characters
APP_URL                   http://127.0.0.1:8006 (or PORT): the public address, path included
LOGUSERAPP_URL            http://127.0.0.1:5000: the PUBLIC_URL of loguserapp
LOGUSERAPP_INTERNAL_URL   LOGUSERAPP_URL: where this program reaches loguserapp
TIMEZONE                  Asia/Jakarta: whose days due dates and fines are counted in
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations"

SECRET_LENGTH = 32
# What a form of this service may send; a larger body is a 413.
MAX_BODY_BYTES = 64 * 1024
# More than the threads of a process.
CONNECTIONS = 20
# Seconds until a database that does not answer counts as away.
DATABASE_TIMEOUT = 3
# Seconds to wait for another transaction: 50 borrowers of one book take less than one.
LOCK_TIMEOUT = 3
# Seconds that a migration waits for the database, and for another process that migrates.
MIGRATION_TIMEOUT = 60


class ConfigError(Exception):
    """A setting is missing or malformed; the message names it."""


def load_settings(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read the settings as Flask keeps them.

    Args:
        environ: in place of the environment of the process.

    Raises:
        ConfigError: a setting is malformed, or a file that one names cannot be read.

    """
    environ = os.environ if environ is None else environ
    instance = Path(_read(environ, "INSTANCE_PATH", str(ROOT / "instance"))).absolute()
    app_url = _address(environ, "APP_URL", f"http://127.0.0.1:{environ.get('PORT') or 8006}")
    service_url = _address(environ, "LOGUSERAPP_URL", "http://127.0.0.1:5000")
    secret = _read(environ, "SECRET_KEY", "") or _generated_secret(instance)
    if len(secret) < SECRET_LENGTH:
        raise ConfigError(f"SECRET_KEY: shorter than {SECRET_LENGTH} characters")
    database = _database(_read(environ, "DATABASE_URL", ""), instance)
    path = urlsplit(app_url).path
    return {
        "APP_URL": app_url,
        "COOKIE_PATH": path or "/",
        "LOGUSERAPP_URL": service_url,
        "LOGUSERAPP_INTERNAL_URL": _address(environ, "LOGUSERAPP_INTERNAL_URL", service_url),
        "SECRET_KEY": secret,
        "SQLALCHEMY_DATABASE_URI": database,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(database),
        "TIMEZONE": _timezone(_read(environ, "TIMEZONE", "Asia/Jakarta")),
        "MAX_CONTENT_LENGTH": MAX_BODY_BYTES,
        "SESSION_COOKIE_NAME": "perpustakaan_session",
        "SESSION_COOKIE_PATH": path or "/",
        "SESSION_COOKIE_SECURE": app_url.startswith("https:"),
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
    }


def engine_options(url: URL) -> dict[str, Any]:
    """How connections to this database are made."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": LOCK_TIMEOUT}, "pool_size": CONNECTIONS}
    return {
        # A statement after the lock sees what others committed before the lock was ours.
        "isolation_level": "READ COMMITTED",
        "pool_pre_ping": True,
        "pool_recycle": 600,
        "pool_timeout": DATABASE_TIMEOUT,
        "pool_size": CONNECTIONS,
        "connect_args": {
            "connect_timeout": DATABASE_TIMEOUT,
            "read_timeout": LOCK_TIMEOUT + 1,
            # Without `semijoin=off` a search takes four times as long for each further word, in
            # the optimizer: 14 words stood there for a minute.
            "init_command": f"SET innodb_lock_wait_timeout = {LOCK_TIMEOUT}, "
            "time_zone = '+00:00', optimizer_switch = 'semijoin=off'",
        },
    }


def _read(environ: Mapping[str, str], name: str, default: str) -> str:
    if file := environ.get(f"{name}_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise ConfigError(f"{name}: its file cannot be read") from None
    return environ.get(name) or default


def _address(environ: Mapping[str, str], name: str, default: str) -> str:
    text = _read(environ, name, default).rstrip("/")
    try:
        parts = urlsplit(text)
        is_good = text.startswith(("http://", "https://")) and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    # What stands in no address would end up in the Content-Security-Policy.
    is_plain = re.fullmatch(r"[A-Za-z0-9:/._~%\[\]-]+", text)
    if not is_good or not is_plain or "//" in text.partition("://")[2]:
        raise ConfigError(f"{name}: not an address such as https://example.com/path")
    return text


def _timezone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError("TIMEZONE: not the name of a zone such as Asia/Jakarta") from None


def _database(text: str, instance: Path) -> URL:
    if not text:
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        return make_url(f"sqlite:///{instance / 'perpustakaan.db'}")
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError("DATABASE_URL: not a database address") from None
    if url.drivername == "mysql":
        url = url.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"})
    if url.get_backend_name() not in ("sqlite", "mysql"):
        raise ConfigError("DATABASE_URL: neither SQLite nor MySQL")
    return url


def _generated_secret(instance: Path) -> str:
    """Return the secret of this folder, made at the first start."""
    file = instance / "secret_key"
    with suppress(FileExistsError):
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written whole under another name first: a second process reads all of it or nothing.
        draft = instance / f"secret_key.{secrets.token_hex(8)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
        try:
            file.hardlink_to(draft)
        finally:
            draft.unlink()
    return file.read_text(encoding="ascii")
