"""loguserapp: the small self-hosted login service."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import (
    assets,
    capacity,
    cli,
    errors,
    guards,
    headers,
    housekeeping,
    instance,
    known_browser,
    logs,
    metrics,
    providers,
)
from app.accounts import hashing, keys, limits, one_time, revocation, tokens
from app.config import Config, check_secret
from app.extensions import bcrypt, csrf, db, engine_options, jwt
from app.forms import MAX_BODY_BYTES, MAX_FIELDS
from app.readiness import Readiness
from app.routes import account, auth_api, docs, home, login, meta, register, resource, social
from app.service import Service


def create_app(config: Config | None = None) -> Flask:
    """Make the application.

    Args:
        config: its settings; those of the environment where there are none.

    Raises:
        ConfigError: a setting is unknown, missing or malformed.

    """
    config = config or Config.from_environment()
    app = Service(__name__, instance_path=str(config.instance_path))
    _configure(app, config)

    db.init_app(app)
    bcrypt.init_app(app)
    jwt.init_app(app)
    csrf.init_app(app)

    app.extensions["readiness"] = Readiness()
    for concern in (
        logs,
        metrics,
        errors,
        headers,
        assets,
        capacity,
        guards,
        known_browser,
        hashing,
        keys,
        revocation,
        one_time,
        limits,
        providers,
        housekeeping,
        cli,
    ):
        concern.init_app(app)
    if config.trusted_proxies:  # around what counts by address
        proxies = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    for room in (home, register, login, social, resource, account, auth_api, meta, docs):
        app.register_blueprint(room.blueprint)
    guards.demand_marks(app)
    return app


def _configure(app: Service, config: Config) -> None:
    """Tell Flask and its extensions what the settings mean for them."""
    instance.make_folder(config.instance_path)
    secret = config.secret_key.encode()
    if not secret:
        file = config.instance_path / "secret_key"
        secret = instance.read_or_create(file, lambda: secrets.token_urlsafe(48).encode())
        check_secret(secret.decode("utf-8", "replace"), str(file))
    app.extensions["settings"] = config
    app.extensions["secret"] = secret
    app.testing = config.testing
    app.secret_key = hmac.digest(secret, b"cookies", "sha256")
    app.public_address = urlsplit(config.public_url)
    # Every rule is written without a slash at its end, and so answers to both spellings alike.
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_FIELDS,
        SQLALCHEMY_DATABASE_URI=config.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(config.database_url, config.threads),
    )
    tokens.init_app(app)
