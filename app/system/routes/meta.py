"""What operators and other programs ask: health, figures, public keys."""

from __future__ import annotations

from flask import Blueprint, Response
from sqlalchemy.exc import SQLAlchemyError

from app.mail import outbox
from app.sessions.keys import keyring
from app.system.readiness import readiness
from app.web.errors.problems import RETRY_SECONDS, problem
from app.web.http import metrics
from app.web.http.metrics import Reading
from app.web.marks import public
from app.web.negotiation import json_response

blueprint = Blueprint("meta", __name__)


@blueprint.get("/healthz")
@public
def health() -> Response:
    """Tell that the process is alive, without asking the database."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
@public
def ready() -> Response:
    """Tell whether the database is reachable and migrated."""
    if readiness().is_behind():
        detail = "The database is not migrated. Run: ./loguserapp db upgrade"
        return problem(503, "service_unavailable", detail, retry_after=RETRY_SECONDS)
    return json_response({"status": "ok"})


@blueprint.get("/metrics")
@public
def figures() -> Response:
    """Figures for Prometheus."""
    return Response(
        metrics.exposition(_of_mails()), content_type="text/plain; version=0.0.4; charset=utf-8"
    )


def _of_mails() -> list[Reading]:
    """What waits in the outbox; nothing while the database is away."""
    try:
        length, seconds = outbox.length_and_age()
    except SQLAlchemyError:
        return []
    return [
        Reading("mail_queue_length", "Mails that wait to be sent", length),
        Reading("mail_queue_oldest_seconds", "For how long the oldest one waits", seconds),
    ]


@blueprint.get("/.well-known/jwks.json")
@public
def jwks() -> Response:
    """Give out the public keys (RFC 7517)."""
    response = json_response(keyring().jwks())
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
