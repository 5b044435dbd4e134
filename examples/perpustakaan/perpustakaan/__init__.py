"""Perpustakaan: a library service whose readers log in at loguserapp."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask

from perpustakaan import (
    api,
    cli,
    headers,
    health,
    language,
    login,
    loguserapp_client,
    pages,
    problems,
)
from perpustakaan.config import MIGRATIONS, load_settings
from perpustakaan.converters import IdConverter
from perpustakaan.database import csrf, db, migrate
from perpustakaan.public_address import PublicAddress


def create_app(settings: Mapping[str, str] | None = None) -> Flask:
    """Make the application.

    Args:
        settings: as in the environment, which they replace; see `config`.

    Raises:
        ConfigError: a setting is missing or malformed.

    """
    app = Flask(__name__)
    app.config.from_mapping(load_settings(settings))
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.wsgi_app = PublicAddress(app.wsgi_app, app.config["APP_URL"])  # type: ignore[method-assign]
    app.url_map.converters["id"] = IdConverter
    app.url_map.strict_slashes = False
    db.init_app(app)
    migrate.init_app(app, db, directory=str(MIGRATIONS))
    csrf.init_app(app)
    language.init_app(app)
    loguserapp_client.init_app(app)
    problems.init_app(app)
    headers.init_app(app)
    health.init_app(app)
    cli.init_app(app)
    app.register_blueprint(api.blueprint)
    csrf.exempt(api.blueprint)
    login.init_app(app)
    pages.init_app(app)
    return app
