"""The description of the API: a document for programs, a page for people."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint, Response

from app.config import settings
from app.system import api_description, reference
from app.system.reference import Reference
from app.web.access import access_token, current_person
from app.web.marks import public
from app.web.negotiation import json_response, render_page

blueprint = Blueprint("docs", __name__)

_DOCUMENT = api_description.load()


@blueprint.get("/openapi.json")
@public
def openapi() -> Response:
    """Give out the OpenAPI document, with the address of this service in it."""
    response = json_response(_described(settings().public_url))
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@blueprint.get("/docs")
@public
def docs() -> Response:
    """Show the document as a page; every call can be tried there with JavaScript."""
    who = current_person()
    return render_page(
        "system/docs.html",
        reference=_reference(settings().public_url),
        public_url=settings().public_url,
        access_token=access_token(who) if who else None,
    )


def _described(url: str) -> dict[str, Any]:
    server = _DOCUMENT["servers"][0] | {"url": url}
    return _DOCUMENT | {"servers": [server]}


@cache
def _reference(url: str) -> Reference:
    return reference.build(_described(url))
