"""`/openapi.json`: the API for machines (OpenAPI 3.1)."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Response, current_app, jsonify

from perpustakaan.api.blueprint import blueprint

_DOCUMENT = json.loads((Path(__file__).parent / "openapi.json").read_text(encoding="utf-8"))


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The description, with this server's address."""
    answer = jsonify(_DOCUMENT | {"servers": [{"url": current_app.config["APP_URL"]}]})
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer
