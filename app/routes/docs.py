"""The description of the API: a document for programs, a page for people."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Blueprint, Response

from app.config import settings
from app.guards import public
from app.negotiation import data, page

blueprint = Blueprint("docs", __name__)

_DOCUMENT = json.loads(Path(__file__).parents[1].joinpath("openapi.json").read_text("utf-8"))


@blueprint.get("/openapi.json")
@public
def openapi() -> Response:
    """Give out the OpenAPI document, with the address of this service in it."""
    server = _DOCUMENT["servers"][0] | {"url": settings().public_url}
    response = data(_DOCUMENT | {"servers": [server]})
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@blueprint.get("/docs")
@public
def docs() -> Response:
    """Show the document as a page on which every call can be tried."""
    return page("docs.html")
