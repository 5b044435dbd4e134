"""Settings: read once from the environment, checked before anything else runs."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.network import IPNetwork

MIN_SECRET_BYTES = 32
MIN_BCRYPT_ROUNDS = 10
DISCOVERY = "/.well-known/openid-configuration"
DEMO_ISSUER = "urn:loguserapp:demo"


# A name, or an IPv4 or IPv6 address, and perhaps a port: nothing before, between or after.
_PUBLIC_URL = re.compile(r"\w+://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?/?", re.ASCII)


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
    trusted_backends: tuple[IPNetwork, ...] = ()
    secret_key: str = field(default="", repr=False)
    access_token_ttl: int = 900
    refresh_token_ttl: int = 1_209_600
    session_max_age: int = 7_776_000
    bcrypt_log_rounds: int = 12
    ratelimit_enabled: bool = True
    ratelimit_storage_uri: str = field(default="database://", repr=False)
    registration: str = "open"
    google_client_id: str = ""
    google_client_secret: str = field(default="", repr=False)
    google_discovery_url: str = f"https://accounts.google.com{DISCOVERY}"
    facebook_client_id: str = ""
    facebook_client_secret: str = field(default="", repr=False)
    # The version of Facebook's API stands here alone.
    facebook_graph_url: str = "https://graph.facebook.com/v24.0"
    facebook_authorize_url: str = ""
    oidc_name: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    # The e-mail domains that the OpenID Connect provider is authoritative for.
    oidc_verified_domains: tuple[str, ...] = ()
    client_redirect_urls: tuple[str, ...] = ()
    social_demo: bool = False
    testing: bool = False

    def __post_init__(self) -> None:
        """Fill in what follows from other settings and refuse what cannot work."""
        put = object.__setattr__  # a frozen dataclass fills its own derived fields this way
        put(self, "instance_path", self.instance_path.absolute())
        put(self, "database_url", _database_url(self.database_url, self.instance_path))
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name.upper()} is {value}: it must be from {low} to {high}.")
        host = f"[{self.host}]" if ":" in self.host else self.host
        put(self, "public_url", _public_url(self.public_url or f"http://{host}:{self.port}"))
        if self.secret_key:
            check_secret(self.secret_key, "SECRET_KEY")
        if self.bcrypt_log_rounds < MIN_BCRYPT_ROUNDS and not self.testing:
            raise ConfigError(
                f"BCRYPT_LOG_ROUNDS is {self.bcrypt_log_rounds}: "
                f"it must be at least {MIN_BCRYPT_ROUNDS} outside tests."
            )
        if self.registration not in {"open", "closed"}:
            raise ConfigError("REGISTRATION must be open or closed.")
        put(self, "facebook_authorize_url", self.facebook_authorize_url or _dialog_url(self))
        _check_social(self)

    @property
    def https(self) -> bool:
        """Whether people reach the service over https, so that cookies must be Secure."""
        return self.public_url.startswith("https://")

    @property
    def providers(self) -> dict[str, str]:
        """The outside identity providers that are set up: what a person calls each, by name."""
        labels = {"google": "Google", "facebook": "Facebook", "oidc": self.oidc_name}
        return {name: label for name, label in labels.items() if getattr(self, f"{name}_client_id")}

    @property
    def issuers(self) -> dict[str, str]:
        """The issuer of each provider that is set up, by name: with the subject, an identity."""
        issuers = {
            "google": self.google_discovery_url.removesuffix(DISCOVERY),
            "facebook": "https://www.facebook.com",
            # The demo's people must not become those of a provider that listens there later.
            "oidc": DEMO_ISSUER if self.social_demo else self.oidc_issuer.rstrip("/"),
        }
        return {name: issuers[name] for name in self.providers}

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
_FAMILIES = (
    "ACCESS_TOKEN_", "REFRESH_TOKEN_", "SESSION_MAX_", "BCRYPT_", "TRUSTED_PROX",
    "TRUSTED_BACKEND", "RATELIMIT_", "REGISTRATION",
    "GOOGLE_CLIENT_", "GOOGLE_DISCOVERY_", "FACEBOOK_CLIENT_", "FACEBOOK_GRAPH_",
    "FACEBOOK_AUTHORIZE_", "OIDC_", "CLIENT_REDIRECT_", "SOCIAL_DEMO",
)  # fmt: skip
# Of each provider: what makes it usable, all or none of it.
_SOCIAL = {
    "google": ("google_client_id", "google_client_secret"),
    "facebook": ("facebook_client_id", "facebook_client_secret"),
    "oidc": ("oidc_name", "oidc_issuer", "oidc_client_id", "oidc_client_secret"),
}
_SOCIAL_URLS = (
    "google_discovery_url", "facebook_graph_url", "facebook_authorize_url", "oidc_issuer",
)  # fmt: skip
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_LISTS = {"CLIENT_REDIRECT_URLS", "OIDC_VERIFIED_DOMAINS"}
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)+")
_SWITCHES = {"RATELIMIT_ENABLED", "SOCIAL_DEMO"}
_YES_OR_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def settings() -> Config:
    """The settings of the running application."""
    config: Config = current_app.extensions["settings"]
    return config


def check_secret(secret: str, where: str) -> None:
    """Refuse a secret that could be guessed.

    Raises:
        ConfigError: it is short or repeats itself; `where` is the name it is told by.

    """
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ConfigError(f"{where} is shorter than {MIN_SECRET_BYTES} bytes.")
    if len(set(secret)) < MIN_SECRET_BYTES // 4:
        raise ConfigError(f"{where} repeats a few characters: make it random.")


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
    if not text.strip():
        raise ConfigError(f"{name} is empty: give it a value or leave it out.")
    return text


def _parse(name: str, text: str) -> object:
    if name.lower() in _INTEGERS:
        if not (text.isascii() and text.isdigit()):
            raise ConfigError(f"{name} must be a whole number.")
        return int(text)
    if name in _SWITCHES:
        if text.lower() not in _YES_OR_NO:
            raise ConfigError(f"{name} must be true or false.")
        return _YES_OR_NO[text.lower()]
    if name in _LISTS:
        return tuple(filter(None, re.split(r"[,\s]+", text)))
    if name == "CLIENT_REDIRECT_URLS":
        return _entries(text)
    if name == "TRUSTED_BACKENDS":
        return tuple(_ip_network(entry) for entry in _entries(text))
    return Path(text) if name == "INSTANCE_PATH" else text


def _entries(text: str) -> tuple[str, ...]:
    return tuple(filter(None, re.split(r"[,\s]+", text)))


def _ip_network(text: str) -> IPNetwork:
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        raise ConfigError(
            f"TRUSTED_BACKENDS has {text}: each must be an IP address or a network such as "
            "10.0.0.0/24."
        ) from None
    if isinstance(found, ipaddress.IPv6Network) and found.network_address.ipv4_mapped:
        raise ConfigError(f"TRUSTED_BACKENDS has {text}: write it as IPv4.")
    return found


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
        good = url.scheme in {"http", "https"} and url.port != 0
    except ValueError:
        good = False
    if not good or not _PUBLIC_URL.fullmatch(text):
        raise ConfigError("PUBLIC_URL must look like https://login.example.com, without a path.")
    return f"{url.scheme}://{url.netloc}"


def _dialog_url(config: Config) -> str:
    version = re.search(r"/v\d+\.\d+(?=/?$)", config.facebook_graph_url)
    return f"https://www.facebook.com{version[0] if version else ''}/dialog/oauth"


def _check_social(config: Config) -> None:
    """Refuse a provider that is half set up, and an address that anybody on the way could read."""
    for name, parts in _SOCIAL.items():
        missing = [part.upper() for part in parts if not getattr(config, part)]
        if missing and len(missing) < len(parts):
            raise ConfigError(
                f"{missing[0]} is missing: set it, or leave all of {name.upper()}_ out."
            )
    for setting in _SOCIAL_URLS:
        text = getattr(config, setting)
        if text and not _is_private(text):
            raise ConfigError(f"{setting.upper()} must begin with https:// (http:// on localhost).")
    if not config.google_discovery_url.endswith(DISCOVERY):
        raise ConfigError(f"GOOGLE_DISCOVERY_URL must end in {DISCOVERY}.")
    for text in config.client_redirect_urls:
        if not _is_private(text) or "#" in text:
            raise ConfigError(
                f"CLIENT_REDIRECT_URLS has {text}: each must be a whole https:// address "
                "(http:// on localhost) without a fragment."
            )
    _check_domains(config.oidc_verified_domains)
    if config.social_demo and (config.https or config.host not in LOOPBACK):
        raise ConfigError("SOCIAL_DEMO is for one's own machine: not with https, nor another HOST.")


def _check_domains(domains: tuple[str, ...]) -> None:
    for domain in domains:
        if not _DOMAIN.fullmatch(domain):
            raise ConfigError(
                f"OIDC_VERIFIED_DOMAINS has {domain}: each must be a domain like example.com."
            )


def _is_private(text: str) -> bool:
    """Whether what goes to this address is read by nobody on the way."""
    try:
        url = urlsplit(text)
        good = bool(url.hostname) and url.port != 0 and text.isprintable() and "@" not in url.netloc
    except ValueError:
        return False
    return good and (url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK))
