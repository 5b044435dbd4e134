"""Settings, read from the environment and validated before anything else runs."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.services import Service

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

MIN_SECRET_BYTES = 32
MIN_BCRYPT_ROUNDS = 10
MAX_NAME, MAX_CONTACT = 40, 200  # characters
MAX_HOST = 253  # characters, RFC 1035 §2.3.4
MAX_LOGO_BYTES = 256 * 1024
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
    # Of the project's folder, whatever the current one is.
    instance_path: Path = Path(__file__).parents[1] / "instance"
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
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_username: str = ""
    smtp_password: str = field(default="", repr=False)
    smtp_tls: str = "starttls"
    mail_from: str = ""
    email_verification: str = "optional"
    app_name: str = "loguserapp"
    app_logo: Path | None = None
    support_contact: str = ""
    google_client_id: str = ""
    google_client_secret: str = field(default="", repr=False)
    google_discovery_url: str = f"https://accounts.google.com{DISCOVERY}"
    facebook_client_id: str = ""
    facebook_client_secret: str = field(default="", repr=False)
    # The only place with the version of Facebook's API.
    facebook_graph_url: str = "https://graph.facebook.com/v24.0"
    facebook_authorize_url: str = ""
    oidc_name: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    # The e-mail domains that the OpenID Connect provider is authoritative for.
    oidc_verified_domains: tuple[str, ...] = ()
    client_redirect_urls: tuple[str, ...] = ()
    # Whose scripts may call the token API, beside those of client_redirect_urls.
    allowed_origins: tuple[str, ...] = ()
    social_demo: bool = False
    testing: bool = False

    def __post_init__(self) -> None:
        """Derive settings from others and refuse invalid combinations."""
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
        _check_mail(self)
        _check_origins(self.allowed_origins)
        put(self, "app_name", self.app_name.strip())
        put(self, "support_contact", self.support_contact.strip())
        _check_text("APP_NAME", self.app_name, MAX_NAME)
        _check_text("SUPPORT_CONTACT", self.support_contact, MAX_CONTACT)
        if self.support_contact.startswith(_WEB) and not is_web_address(self.support_contact):
            raise ConfigError("SUPPORT_CONTACT begins like an address of the web and is none.")
        if self.app_logo:
            read_logo(self.app_logo)
        put(self, "facebook_authorize_url", self.facebook_authorize_url or _dialog_url(self))
        _check_social(self)

    @property
    def https(self) -> bool:
        """Whether people reach the service over https, so that cookies must be Secure."""
        return self.public_url.startswith("https://")

    @property
    def script_origins(self) -> frozenset[str]:
        """The origins (RFC 6454) whose scripts may call the token API."""
        return self.redirect_origins | set(self.allowed_origins)

    @property
    def redirect_origins(self) -> frozenset[str]:
        """The origins of the front ends on other sites that people are sent on to."""
        urls = map(urlsplit, self.client_redirect_urls)
        return frozenset(f"{url.scheme}://{url.netloc}" for url in urls) - {self.public_url}

    @property
    def sender(self) -> str:
        """The address that mails come from; without a mail server they are files, and need none."""
        return self.mail_from or f"loguserapp@{self.mail_domain}"

    @property
    def mail_domain(self) -> str:
        """What the service calls itself to mail servers: the host of PUBLIC_URL."""
        return _domain(urlsplit(self.public_url).hostname or "localhost")

    @property
    def shows_outbox(self) -> bool:
        """Whether /outbox shows mails: the service is on one's own machine, without mail server."""
        hosts = (self.host, urlsplit(self.public_url).hostname)
        return not self.smtp_host and not self.trusted_proxies and all(map(is_loopback, hosts))

    @property
    def providers(self) -> dict[str, str]:
        """The configured identity providers: their labels for people, by name."""
        labels = {"google": "Google", "facebook": "Facebook", "oidc": self.oidc_name}
        return {name: label for name, label in labels.items() if getattr(self, f"{name}_client_id")}

    @property
    def issuers(self) -> dict[str, str]:
        """The issuer of each configured provider, by name; (issuer, subject) names an identity."""
        issuers = {
            "google": self.google_discovery_url.removesuffix(DISCOVERY),
            "facebook": "https://www.facebook.com",
            # Demo identities must not match those of a real provider at the same address later.
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
    ("smtp_port", 1, 65535),
)
_INTEGERS = {name for name, _, _ in _RANGES}
_SETTINGS = [name.upper() for name in Config.__dataclass_fields__ if name != "testing"]
# A variable that begins like one of our settings can only be a misspelt one.
_FAMILIES = (
    "ACCESS_TOKEN_", "REFRESH_TOKEN_", "SESSION_MAX_", "BCRYPT_", "TRUSTED_PROX",
    "TRUSTED_BACKEND", "RATELIMIT_", "REGISTRATION", "SMTP_", "MAIL_FROM",
    "EMAIL_VERIF", "APP_LOGO", "SUPPORT_CONTACT",
    "GOOGLE_CLIENT_", "GOOGLE_DISCOVERY_", "FACEBOOK_CLIENT_", "FACEBOOK_GRAPH_",
    "FACEBOOK_AUTHORIZE_", "OIDC_", "CLIENT_REDIRECT_", "ALLOWED_ORIG",
    "SOCIAL_DEMO",
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
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
# Names inside a network may have an underscore.
_SMTP_HOST = re.compile(r"\w(?:[\w.-]*\w)?", re.ASCII)
# RFC 5322 §3.2.3, without quotes.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAIL_FROM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_LISTS = {"ALLOWED_ORIGINS", "CLIENT_REDIRECT_URLS", "OIDC_VERIFIED_DOMAINS"}
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)+")
_SWITCHES = {"RATELIMIT_ENABLED", "SOCIAL_DEMO"}
_PATHS = {"INSTANCE_PATH", "APP_LOGO"}
_WEB = ("https://", "http://")
_PNG = b"\x89PNG\r\n\x1a\n"
_YES_OR_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


settings = Service[Config]("settings")


def check_secret(secret: str, where: str) -> None:
    """Refuse a guessable secret.

    Raises:
        ConfigError: it is short or repeats itself; `where` is the name it is told by.

    """
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ConfigError(f"{where} is shorter than {MIN_SECRET_BYTES} bytes.")
    if len(set(secret)) < MIN_SECRET_BYTES // 4:
        raise ConfigError(f"{where} repeats a few characters: make it random.")


def is_web_address(text: str) -> bool:
    """Whether a text is an http or https address of a host, without a password in it."""
    try:
        url = urlsplit(text)
        good = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return good and text.startswith(_WEB) and "@" not in url.netloc and not re.search(r"\s", text)


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine and nothing else can be it."""
    if host is None or host in LOOPBACK:
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_logo(path: Path) -> tuple[bytes, str]:
    """Read the picture that APP_LOGO names.

    Returns:
        Its content, and its type by what it contains.

    Raises:
        ConfigError: it cannot be read, is too large, or is neither SVG, PNG nor WebP.

    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LOGO_BYTES + 1)
    except OSError:
        raise ConfigError("APP_LOGO names a file that cannot be read.") from None
    if len(content) > MAX_LOGO_BYTES:
        raise ConfigError(f"APP_LOGO is larger than {MAX_LOGO_BYTES // 1024} KiB.")
    if content.startswith(_PNG):
        return content, "image/png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return content, "image/webp"
    if _is_svg(content):
        return content, "image/svg+xml"
    raise ConfigError("APP_LOGO must name an SVG, PNG or WebP picture.")


def _is_svg(content: bytes) -> bool:
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - the operator's own file
    except ElementTree.ParseError:
        return False
    return root.tag == "{http://www.w3.org/2000/svg}svg"


def _check_text(name: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise ConfigError(f"{name} is longer than {longest} characters.")
    if not text.isprintable():
        raise ConfigError(f"{name} has a character that cannot be shown, such as a line break.")


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
        return _entries(text)
    if name == "TRUSTED_BACKENDS":
        return tuple(_ip_network(entry) for entry in _entries(text))
    return Path(text) if name in _PATHS else text


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
    if url.drivername == "sqlite" and not url.database.startswith((":memory:", "file:")):
        url = url.set(database=str(instance_path / url.database))
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


def _check_mail(config: Config) -> None:
    """Refuse settings with which no mail would arrive."""
    if config.email_verification not in {"optional", "required"}:
        raise ConfigError("EMAIL_VERIFICATION must be optional or required.")
    if config.mail_from and not _MAIL_FROM.fullmatch(config.mail_from):
        raise ConfigError("MAIL_FROM must be an e-mail address such as login@example.com.")
    if config.smtp_host and not config.mail_from:
        raise ConfigError("MAIL_FROM is missing: SMTP_HOST needs the address that mails come from.")
    if config.smtp_host and not _is_host(config.smtp_host):
        raise ConfigError("SMTP_HOST must be a name or an IP address, without a port.")
    if config.smtp_tls not in {"starttls", "tls", "none"}:
        raise ConfigError("SMTP_TLS must be starttls, tls or none.")
    _check_smtp_login(config)


def _check_smtp_login(config: Config) -> None:
    """Refuse half of a login, and one that would travel in clear text."""
    if bool(config.smtp_username) != bool(config.smtp_password):
        missing = "SMTP_PASSWORD" if config.smtp_username else "SMTP_USERNAME"
        raise ConfigError(f"{missing} is missing: set it, or leave the other out.")
    if config.smtp_username and not config.smtp_host:
        raise ConfigError("SMTP_HOST is missing: SMTP_USERNAME needs it.")
    for name in ("smtp_username", "smtp_password"):
        text = getattr(config, name)
        if not (text.isascii() and text.isprintable()):
            raise ConfigError(f"{name.upper()} has a character other than those of ASCII.")
    if config.smtp_tls == "none" and config.smtp_password and not is_loopback(config.smtp_host):
        raise ConfigError("SMTP_TLS is none: SMTP_PASSWORD would travel in clear text.")


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= MAX_HOST and _SMTP_HOST.fullmatch(text) is not None
    return True


def _check_origins(origins: tuple[str, ...]) -> None:
    for origin in origins:
        if not _is_private(origin) or not _PUBLIC_URL.fullmatch(origin) or origin.endswith("/"):
            raise ConfigError(
                f"ALLOWED_ORIGINS has {origin}: each must look like https://app.example.com "
                "(http:// on localhost), without a path."
            )


def _domain(host: str) -> str:
    """A host name as the domain of an e-mail address (RFC 5321 §4.1.3)."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"  # noqa: PLR2004


def _check_social(config: Config) -> None:
    """Refuse an incomplete provider, and addresses whose traffic could be read on the way."""
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
        # A code on the way back to this site is as private as the login before it.
        is_own = text.startswith(f"{config.public_url}/")
        if not (is_own or _is_private(text)) or "#" in text:
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
    """Whether traffic to this address is private: https, or loopback."""
    try:
        url = urlsplit(text)
        good = bool(url.hostname) and url.port != 0 and text.isprintable() and "@" not in url.netloc
    except ValueError:
        return False
    return good and (url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK))
