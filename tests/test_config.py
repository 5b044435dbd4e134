"""Settings: each is read, checked and named when it is wrong."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from app.config import Config, ConfigError
from tests.support.environment import ROOT

SECRET = "3zJ0wq8Lr5Vt1xYb7Nc9Kd2Mf4Gh6Ps0"

LOGO = ROOT / "app" / "static" / "favicon.svg"

GOOD = {
    "DATABASE_URL": ("mysql://u:p@db:3307/logins", "mysql+pymysql://u:p@db:3307/logins"),
    "INSTANCE_PATH": ("/srv/instance", Path("/srv/instance")),
    "HOST": ("0.0.0.0", "0.0.0.0"),
    "PORT": ("8000", 8000),
    "WORKERS": ("3", 3),
    "THREADS": ("5", 5),
    "PUBLIC_URL": ("https://login.example.com/", "https://login.example.com"),
    "TRUSTED_PROXIES": ("1", 1),
    "TRUSTED_BACKENDS": (
        "10.0.0.5, 192.168.7.0/24 2001:db8::/64",
        tuple(map(ip_network, ("10.0.0.5/32", "192.168.7.0/24", "2001:db8::/64"))),
    ),
    "SECRET_KEY": (SECRET, SECRET),
    "ACCESS_TOKEN_TTL": ("60", 60),
    "REFRESH_TOKEN_TTL": ("61", 61),
    "SESSION_MAX_AGE": ("62", 62),
    "BCRYPT_LOG_ROUNDS": ("13", 13),
    "APP_NAME": ("Warung Kopi", "Warung Kopi"),
    "APP_LOGO": (str(LOGO), LOGO),
    "SUPPORT_CONTACT": ("help@example.com", "help@example.com"),
    "SMTP_PORT": ("465", 465),
    "SMTP_TLS": ("tls", "tls"),
    "MAIL_FROM": ("login@example.com", "login@example.com"),
    "EMAIL_VERIFICATION": ("required", "required"),
}
EACH = pytest.mark.parametrize(("name", "text", "value"), [(n, *v) for n, v in GOOD.items()])


@EACH
def test_a_setting_comes_from_its_variable(name: str, text: str, value: Any) -> None:
    assert getattr(Config.from_environment({name: text}), name.lower()) == value


@EACH
def test_a_setting_comes_from_the_file_that_is_named(
    tmp_path: Path, name: str, text: str, value: Any
) -> None:
    (tmp_path / "value").write_text(f"{text}\n")
    config = Config.from_environment({f"{name}_FILE": str(tmp_path / "value")})
    assert getattr(config, name.lower()) == value


@pytest.mark.parametrize("name", GOOD)
def test_every_setting_that_the_contract_names_is_there(name: str) -> None:
    assert name.lower() in Config.__dataclass_fields__


def test_without_settings_it_runs_for_one_person_on_one_machine(tmp_path: Path) -> None:
    config = Config.from_environment({"INSTANCE_PATH": str(tmp_path)})
    assert config.database_url == f"sqlite:///{tmp_path / 'loguserapp.db'}"
    assert (config.host, config.port, config.public_url) == (
        "127.0.0.1", 5000, "http://127.0.0.1:5000",
    )  # fmt: skip
    assert (config.threads, config.trusted_proxies, config.bcrypt_log_rounds) == (16, 0, 12)
    lives = (config.access_token_ttl, config.refresh_token_ttl, config.session_max_age)
    assert lives == (900, 1_209_600, 7_776_000)
    assert config.workers == len(os.sched_getaffinity(0))


def test_the_instance_folder_is_the_same_wherever_a_command_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Config().instance_path == ROOT / "instance"


def test_a_relative_database_is_in_the_instance_folder(tmp_path: Path) -> None:
    config = Config(database_url="sqlite:///logins.db", instance_path=tmp_path)
    assert config.database_url == f"sqlite:///{tmp_path / 'logins.db'}"
    in_memory = Config(database_url="sqlite:///:memory:").database_url
    assert make_url(in_memory).database == ":memory:"


@pytest.mark.parametrize(
    "environment",
    [
        {"PORT": "eighty"}, {"PORT": "0"}, {"PORT": "65536"}, {"PORT": "-1"}, {"PORT": "80.5"},
        {"PORT": " 80"}, {"PORT": "²"}, {"PORT": "٣"}, {"WORKERS": "0"}, {"THREADS": "many"},
        {"TRUSTED_PROXIES": "-1"}, {"TRUSTED_PROXIES": "true"}, {"TRUSTED_BACKENDS": "backend"},
        {"TRUSTED_BACKENDS": "10.0.0.5,10.0.0"}, {"TRUSTED_BACKENDS": "10.0.0.5/24"},
        {"TRUSTED_BACKENDS": "10.0.0.0/33"}, {"TRUSTED_BACKENDS": "::ffff:10.0.0.5"},
        {"ACCESS_TOKEN_TTL": "0"},
        {"REFRESH_TOKEN_TTL": "1h"}, {"SESSION_MAX_AGE": "1e6"}, {"BCRYPT_LOG_ROUNDS": "9"},
        {"BCRYPT_LOG_ROUNDS": "31"}, {"DATABASE_URL": "loguserapp"}, {"DATABASE_URL": "mysql://db"},
        {"DATABASE_URL": "postgresql://db/a"}, {"DATABASE_URL": "mysql://db:port/a"},
        {"PUBLIC_URL": "login.example.com"}, {"PUBLIC_URL": "ftp://e.com"}, {"PUBLIC_URL": "http://"},
        {"PUBLIC_URL": "http://e.com/path"}, {"PUBLIC_URL": "http://u:p@e.com"},
        {"PUBLIC_URL": "http://e.com:x"}, {"PUBLIC_URL": "http://e.com?a"}, {"PUBLIC_URL": "http://["},
        {"PUBLIC_URL": "http://a b"}, {"PUBLIC_URL": "http://e<.com"}, {"PUBLIC_URL": "http://e\n.com"},
        {"APP_NAME": "a" * 41}, {"APP_NAME": "two\nlines"}, {"APP_NAME": "\u202eevil"},
        {"SUPPORT_CONTACT": "a" * 201}, {"SUPPORT_CONTACT": "two\nlines"},
        {"SUPPORT_CONTACT": "https://"}, {"SUPPORT_CONTACT": "http://[/help"},
        {"APP_LOGO": "/nothing/here.svg"}, {"APP_LOGO": str(ROOT)}, {"APP_LOGO": __file__},
        {"SMTP_PORT": "0"}, {"SMTP_PORT": "smtp"}, {"SMTP_TLS": "ssl"}, {"SMTP_TLS": "STARTTLS"},
        {"EMAIL_VERIFICATION": "yes"}, {"MAIL_FROM": "login"}, {"MAIL_FROM": "login@"},
        {"MAIL_FROM": "a..b@example.com"}, {"MAIL_FROM": "a@b..com"}, {"MAIL_FROM": "a@-b.com"},
        {"MAIL_FROM": "Login <login@example.com>"}, {"MAIL_FROM": "a@example.com,b@example.com"},
        {"MAIL_FROM": "a@example.com\nBcc: b@example.com"}, {"MAIL_FROM": "é@example.com"},
        {"SECRET_KEY": "too short"}, {"SECRET_KEY": SECRET[:31]}, {"SECRET_KEY": "a" * 64},
        {"SECRET_KEY": "changeme" * 8}, {"SECRET_KEY": "12" * 32},
        *({name: ""} for name in GOOD), *({name: " "} for name in GOOD),
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_setting_is_named(environment: dict[str, str]) -> None:
    ((name, value),) = environment.items()
    with pytest.raises(ConfigError) as refused:
        Config.from_environment(environment)
    message = str(refused.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert name != "SECRET_KEY" or not value.strip() or value not in message


@pytest.mark.parametrize(
    "typo",
    [
        "DATABASE_ULR", "DATABSE_URL", "INSTANCE_PTH", "WORKER", "THREAD", "PUBLICURL", "SECRETKEY",
        "SECRET_KEY_FLIE", "TRUSTED_PROXY", "TRUSTED_BACKEND", "ACCESS_TOKEN_LIFE",
        "APP_NAMES", "APP_LOGOS", "SUPPORT_CONTACTS", "SMTP_PASS", "SMTP_SERVER", "MAIL_FORM",
        "EMAIL_VERIFIED",
        "REFRESH_TOKEN_TLL", "SESSION_MAX_AGES", "BCRYPT_ROUNDS", "BCRYPT_LOG_ROUND",
    ],
)  # fmt: skip
def test_a_setting_that_does_not_exist_is_named(typo: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{typo} is not a setting"):
        Config.from_environment({typo: "1"})


def test_an_ipv6_address_is_written_as_one() -> None:
    assert Config(host="::1").public_url == "http://[::1]:5000"


def test_other_programs_variables_do_not_matter() -> None:
    others = "PATH HOME HOSTNAME LANG TERM USER SHELL PWD PYTHONPATH GOOGLE_API_KEY MYSQL_HOST CI"
    assert Config.from_environment(dict.fromkeys(others.split(), "1")).port == 5000


@pytest.mark.parametrize("name", GOOD)
def test_a_setting_given_twice_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "value").write_text(GOOD[name][0])
    both = {name: GOOD[name][0], f"{name}_FILE": str(tmp_path / "value")}
    with pytest.raises(ConfigError, match=rf"^{name} and {name}_FILE are both set"):
        Config.from_environment(both)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"", b"\n"])
def test_a_file_that_says_nothing_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "value").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^SECRET_KEY"):
        Config.from_environment({"SECRET_KEY_FILE": str(tmp_path / "value")})


MAIL = {
    "SMTP_HOST": "smtp.example.com", "SMTP_USERNAME": "login", "SMTP_PASSWORD": "pass word",
    "MAIL_FROM": "login@example.com",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SMTP_PASSWORD": None}, "SMTP_PASSWORD is missing: set it, or leave the other out."),
        ({"SMTP_USERNAME": None}, "SMTP_USERNAME is missing: set it, or leave the other out."),
        ({"SMTP_HOST": None}, "SMTP_HOST is missing: SMTP_USERNAME needs it."),
        ({"MAIL_FROM": None}, "MAIL_FROM is missing: SMTP_HOST needs"),
        ({"SMTP_TLS": "none"}, "SMTP_TLS is none: SMTP_PASSWORD would travel in clear text."),
        ({"SMTP_HOST": "smtp://smtp.example.com"}, "SMTP_HOST must be a name or an IP address"),
        ({"SMTP_HOST": "smtp.example.com:587"}, "SMTP_HOST must be a name or an IP address"),
        ({"SMTP_HOST": "smtp example com"}, "SMTP_HOST must be a name or an IP address"),
        ({"SMTP_HOST": "a" * 254}, "SMTP_HOST must be a name or an IP address"),
        ({"SMTP_USERNAME": "büdi"}, "SMTP_USERNAME has a character other than those of ASCII."),
        ({"SMTP_PASSWORD": "kü che"}, "SMTP_PASSWORD has a character other than those of ASCII."),
        ({"SMTP_PASSWORD": "a\nb"}, "SMTP_PASSWORD has a character other than those of ASCII."),
    ],
    ids=str,
)
def test_a_mail_server_that_could_send_nothing_is_refused(
    change: dict[str, str | None], message: str
) -> None:
    given = {name: value for name, value in (MAIL | change).items() if value is not None}
    with pytest.raises(ConfigError) as refused:
        Config.from_environment(given)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert "pass word" not in str(refused.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "127.8.9.1"])
def test_a_password_may_go_in_clear_text_to_the_own_machine(host: str) -> None:
    assert Config.from_environment(MAIL | {"SMTP_HOST": host, "SMTP_TLS": "none"}).smtp_host == host


def test_a_mail_server_is_reached_by_starttls_on_port_587() -> None:
    config = Config.from_environment(MAIL)
    assert (config.smtp_port, config.smtp_tls, config.sender) == (
        587,
        "starttls",
        MAIL["MAIL_FROM"],
    )
    assert config.email_verification == "optional"
    assert MAIL["SMTP_PASSWORD"] not in repr(config)


@pytest.mark.parametrize(
    ("public_url", "sender"),
    [
        ("http://127.0.0.1:5000", "loguserapp@[127.0.0.1]"),
        ("http://[::1]:5000", "loguserapp@[IPv6:::1]"),
        ("https://login.example.com", "loguserapp@login.example.com"),
    ],
)
def test_without_a_mail_server_mails_come_from_the_service_itself(
    public_url: str, sender: str
) -> None:
    assert Config(public_url=public_url).sender == sender


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, True), ({"host": "::1"}, True), ({"host": "127.0.0.2"}, True),
        ({"host": "0.0.0.0"}, False), ({"host": "192.0.2.1"}, False),
        ({"host": "login.example.com"}, False), ({"trusted_proxies": 1}, False),
        ({"public_url": "https://login.example.com"}, False),
        ({"public_url": "http://localhost:5000"}, True),
        ({"smtp_host": "localhost", "mail_from": "a@example.com"}, False),
    ],
    ids=str,
)  # fmt: skip
def test_mails_are_shown_on_the_own_machine_alone(settings: dict[str, Any], shown: bool) -> None:
    assert Config(**settings).shows_outbox is shown


def test_secrets_do_not_show_in_a_trace() -> None:
    assert SECRET not in repr(Config.from_environment({"SECRET_KEY": SECRET}))


def test_a_login_may_lead_back_to_the_site_itself_over_http() -> None:
    """The stack adds the library's address, whatever PUBLIC_URL is."""
    site = {"PUBLIC_URL": "http://192.168.1.5:8080"}
    own = "http://192.168.1.5:8080/perpustakaan/callback"
    config = Config.from_environment(site | {"CLIENT_REDIRECT_URLS": own})
    assert config.client_redirect_urls == (own,)
    assert config.redirect_origins == set()
    with pytest.raises(ConfigError, match="CLIENT_REDIRECT_URLS has"):
        Config.from_environment(site | {"CLIENT_REDIRECT_URLS": "http://192.168.1.5:80801/x"})
