"""The blueprint of the API, and what each of its answers has."""

from __future__ import annotations

from flask import Blueprint, Response

blueprint = Blueprint("api", __name__)


@blueprint.after_request
def _private(answer: Response) -> Response:
    """Keep answers out of caches unless one says otherwise."""
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer
