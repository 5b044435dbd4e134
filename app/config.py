"""Settings: read once from the environment, checked before anything else runs."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

MIN_SECRET_BYTES = 32
MIN_BCRYPT_ROUNDS = 10


class ConfigError(Exception):
    """A setting is unknown, missing or malformed. The message is one line that names it."""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the service. Durations are in seconds."""

    database_url: str = ""
    instance_path: Path = Path("instance")
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = field(default_factory=_cores)
    threads: int = 16
    public_url: str = ""
    trusted_proxies: int = 0
    secret_key: str = field(default="", repr=False)
    access_token_ttl: int = 900
    refresh_token_ttl: int = 1_209_600
    session_max_age: int = 7_776_000
    bcrypt_log_rounds: int = 12
    testing: bool = False

    def __post_init__(self) -> None:
        """Fill in what follows from other settings and refuse what cannot work."""
        put = object.__setattr__  # a frozen dataclass fills its own derived fields this way
        put(self, "instance_path", self.instance_path.absolute())
        put(self, "database_url", _database_url(self.database_url, self.instance_path))
        put(self, "public_url", _public_url(self.public_url or f"http://{self.host}:{self.port}"))
        if self.secret_key:
            _check_secret(self.secret_key)
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name.upper()} is {value}: it must be from {low} to {high}.")
        if self.bcrypt_log_rounds < MIN_BCRYPT_ROUNDS and not self.testing:
            raise ConfigError(
                f"BCRYPT_LOG_ROUNDS is {self.bcrypt_log_rounds}: "
                f"it must be at least {MIN_BCRYPT_ROUNDS} outside tests."
            )

    @property
    def https(self) -> bool:
        """Whether people reach the service over https, so that cookies must be Secure."""
        return self.public_url.startswith("https://")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Read every setting from NAME or from the file that NAME_FILE names.

        Raises:
            ConfigError: a setting is unknown, missing or malformed.

        """
        _refuse_unknown(environ)
        values: dict[str, object] = {}
        for name in _SETTINGS:
            text = _text(environ, name)
            if text is not None:
                values[name.lower()] = _parse(name, text)
        return cls(**values)  # type: ignore[arg-type]


_RANGES = (
    ("port", 1, 65535),
    ("workers", 1, 256),
    ("threads", 1, 1024),
    ("trusted_proxies", 0, 16),
    ("access_token_ttl", 1, 86_400),
    ("refresh_token_ttl", 1, 31_536_000),
    ("session_max_age", 1, 315_360_000),
    ("bcrypt_log_rounds", 4, 20),
)
_INTEGERS = {name for name, _, _ in _RANGES}
_SETTINGS = [name.upper() for name in Config.__dataclass_fields__ if name != "testing"]
# A variable that begins like one of our settings can only be a misspelt one.
_FAMILIES = ("ACCESS_TOKEN_", "REFRESH_TOKEN_", "SESSION_MAX_", "BCRYPT_", "TRUSTED_PROX")


def settings() -> Config:
    """The settings of the running application."""
    config: Config = current_app.extensions["settings"]
    return config


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {*_SETTINGS, *(f"{name}_FILE" for name in _SETTINGS)}
    for name in environ:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.87)
        if near or name.startswith(_FAMILIES):
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{name} is not a setting of loguserapp.{hint}")


def _text(environ: Mapping[str, str], name: str) -> str | None:
    file_name = f"{name}_FILE"
    if file_name in environ:
        if name in environ:
            raise ConfigError(f"{name} and {file_name} are both set: keep one.")
        try:
            text = Path(environ[file_name]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"{file_name} names a file that cannot be read.") from None
    elif name in environ:
        text = environ[name]
    else:
        return None
    if not text:
        raise ConfigError(f"{name} is empty: give it a value or leave it out.")
    return text


def _parse(name: str, text: str) -> object:
    if name.lower() in _INTEGERS:
        if not (text.isascii() and text.isdigit()):
            raise ConfigError(f"{name} must be a whole number.")
        return int(text)
    return Path(text) if name == "INSTANCE_PATH" else text


def _database_url(text: str, instance_path: Path) -> str:
    if not text:
        return f"sqlite:///{instance_path / 'loguserapp.db'}"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError("DATABASE_URL is not a database URL.") from None
    if url.drivername in {"mysql", "mariadb"}:
        url = url.set(drivername=f"{url.drivername}+pymysql")
    if url.drivername not in {"sqlite", "mysql+pymysql", "mariadb+pymysql"}:
        raise ConfigError("DATABASE_URL must begin with mysql:// or sqlite://.")
    if not url.database:
        raise ConfigError("DATABASE_URL must name a database.")
    return url.render_as_string(hide_password=False)


def _public_url(text: str) -> str:
    try:
        url = urlsplit(text)
        good = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not good or url.path not in {"", "/"} or url.query or url.fragment or "@" in url.netloc:
        raise ConfigError("PUBLIC_URL must look like https://login.example.com, without a path.")
    return f"{url.scheme}://{url.netloc}"


def _check_secret(secret: str) -> None:
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ConfigError(f"SECRET_KEY is shorter than {MIN_SECRET_BYTES} bytes.")
    if len(set(secret)) < MIN_SECRET_BYTES // 4:
        raise ConfigError("SECRET_KEY repeats a few characters: make it random.")
