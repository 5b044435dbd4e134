"""What operators and other programs ask: health, figures, public keys."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from app import metrics
from app.accounts.keys import keyring
from app.errors import RETRY_SECONDS, problem
from app.guards import public
from app.negotiation import data
from app.readiness import Readiness

blueprint = Blueprint("meta", __name__)


@blueprint.get("/healthz")
@public
def health() -> Response:
    """Tell that the process is alive, without asking the database."""
    return data({"status": "ok"})


@blueprint.get("/readyz")
@public
def ready() -> Response:
    """Tell whether the database is reachable and migrated."""
    readiness: Readiness = current_app.extensions["readiness"]
    if readiness.is_behind():
        detail = "The database is not migrated. Run: flask db upgrade"
        return problem(503, "service_unavailable", detail, retry_after=RETRY_SECONDS)
    return data({"status": "ok"})


@blueprint.get("/metrics")
@public
def figures() -> Response:
    """Figures for Prometheus."""
    return Response(metrics.exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


@blueprint.get("/.well-known/jwks.json")
@public
def jwks() -> Response:
    """Give out the public keys (RFC 7517)."""
    response = data(keyring().jwks())
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
