"""The providers that the settings name, as clients of Authlib."""

from __future__ import annotations

from typing import Any

from authlib.integrations.flask_client import OAuth
from flask import Flask

from app.config import DISCOVERY, settings
from app.social.providers.base import StateStore
from app.social.providers.bounded import DEADLINE
from app.social.providers.facebook import Facebook
from app.social.providers.openid import Google, OpenIDProvider


def init_app(app: Flask) -> None:
    """Set up the providers that the settings name."""
    config = settings.of(app)
    registry = OAuth(app)
    registry.framework_integration_cls = StateStore
    asked = {
        "code_challenge_method": "S256",
        "default_timeout": DEADLINE,
        "max_redirects": 2,
    }
    graph = config.facebook_graph_url.rstrip("/")
    kinds: dict[str, dict[str, Any]] = {
        "google": {
            "client_cls": Google,
            "server_metadata_url": config.google_discovery_url,
            "client_kwargs": asked | {"scope": "openid email profile"},
        },
        "facebook": {
            "client_cls": Facebook,
            "authorize_url": config.facebook_authorize_url,
            "access_token_url": f"{graph}/oauth/access_token",
            "client_kwargs": asked
            | {"scope": "public_profile email", "token_endpoint_auth_method": "client_secret_post"},
        },
        "oidc": {
            "client_cls": OpenIDProvider,
            "server_metadata_url": config.oidc_issuer.rstrip("/") + DISCOVERY,
            "client_kwargs": asked | {"scope": "openid email profile"},
        },
    }
    for name in config.providers:
        registry.register(
            name,
            client_id=getattr(config, f"{name}_client_id"),
            client_secret=getattr(config, f"{name}_client_secret"),
            **kinds[name],
        ).bind(config)
