"""loguserapp: the small self-hosted login service."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace
from urllib.parse import urlsplit

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix

from app import cli
from app.accounts.routes import api as accounts_api
from app.accounts.routes import (
    confirmation,
    deletion,
    email_api,
    forgotten,
    language,
    login,
    password,
    profile,
    register,
    strength,
    undo,
    verification,
)
from app.config import Config, check_secret, settings
from app.core import one_time, proofs, secret_files
from app.core.engines.engine import engine_options
from app.extensions import bcrypt, csrf, db, jwt
from app.limits import rules as limits
from app.mail import sender, transport
from app.passwords import hashing_pool
from app.sessions import keys, refresh_tokens, revocation, tokens
from app.sessions.routes import api as sessions_api
from app.sessions.routes import devices, resource
from app.social import providers
from app.social.routes import api as social_api
from app.social.routes import connections, front_end, welcome
from app.social.routes import login as social_login
from app.system import housekeeping, readiness
from app.system.routes import docs, home, icons, meta, outbox
from app.text import LazyText, rfc3339
from app.web import access, i18n, marks
from app.web.browser import known_browser
from app.web.errors import problems
from app.web.http import capacity, compression, headers, metrics
from app.web.http.flask_app import Application
from app.web.logs import formatter as logs
from app.web.pages import assets, branding
from app.web.parsing import MAX_BODY_BYTES, MAX_FIELDS

# Those of the token API share one blueprint, and so do those of provider logins.
_ROUTES = (
    home, register, login, social_login, front_end, welcome, resource, profile, language, password,
    strength, devices, connections, deletion, confirmation, forgotten, verification, undo, outbox,
    accounts_api, email_api, sessions_api, social_api, meta, docs, icons,
)  # fmt: skip


def create_app(config: Config | None = None, *, create_instance: bool = True) -> Flask:
    """Make the application.

    Args:
        config: its settings; those of the environment where there are none.
        create_instance: create the instance folder, the secret and the first key where they are
            missing. A command does not: app/cli/common.py refuses it instead.

    Raises:
        ConfigError: a setting is unknown, missing or malformed.

    """
    config = config or Config.from_environment()
    app = Application(__name__, instance_path=str(config.instance_path))
    # The master secret stays here: each feature gets a key derived for its purpose.
    secret = _master_secret(config, create=create_instance)
    settings.bind(app, replace(config, secret_key=""))
    app.secret_key = _derive(secret, "cookies")
    _configure(app, config)

    db.init_app(app)
    bcrypt.init_app(app)
    jwt.init_app(app)
    csrf.init_app(app)

    refresh_tokens.init_app(app, _derive(secret, "refresh tokens"))
    one_time.init_app(app, _derive(secret, "one-time secrets"))
    proofs.init_app(app, _derive(secret, "proofs by mail"))
    known_browser.init_app(app, _derive(secret, "known browser"))
    keys.init_app(app, create=create_instance)
    for concern in (
        logs,
        metrics,
        i18n,
        problems,
        headers,
        assets,
        branding,
        compression,
        capacity,
        access,
        hashing_pool,
        revocation,
        limits,
        providers,
        readiness,
        housekeeping,
        transport,
        sender,
        cli,
    ):
        concern.init_app(app)
    if config.trusted_proxies:  # around what counts by address
        proxies = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    for blueprint in dict.fromkeys(routes.blueprint for routes in _ROUTES):
        app.register_blueprint(blueprint)
    marks.require_access_marks(app)
    return app


def _master_secret(config: Config, *, create: bool) -> bytes:
    """SECRET_KEY, or the secret of the instance folder, created at the first start."""
    if create:
        secret_files.make_folder(config.instance_path)
    if config.secret_key:
        return config.secret_key.encode()
    file = config.instance_path / secret_files.SECRET_KEY
    secret = secret_files.read_or_create(
        file, lambda: secrets.token_urlsafe(48).encode(), create=create
    )
    check_secret(secret.decode("utf-8", "replace"), str(file))
    return secret


def _derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, from which neither the secret nor another key can be found."""
    return hmac.digest(secret, purpose.encode(), "sha256")


def _jsonable(value: object) -> object:
    """What JSON writes of a value that it does not know."""
    return str(value) if isinstance(value, LazyText) else DefaultJSONProvider.default(value)


def _configure(app: Application, config: Config) -> None:
    """Tell Flask and its extensions what the settings mean for them."""
    app.testing = config.testing
    app.public_address = urlsplit(config.public_url)
    # Every rule is written without a slash at its end, and so answers to both spellings alike.
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.default = _jsonable  # type: ignore[attr-defined]
    app.add_template_filter(rfc3339)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_FIELDS,
        SQLALCHEMY_DATABASE_URI=config.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(
            config.database_url, config.threads, for_command=cli.is_operators()
        ),
    )
    tokens.init_app(app)
