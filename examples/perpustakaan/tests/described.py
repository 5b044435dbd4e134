"""What `/openapi.json` says, held against each answer of the API that a test gets."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
from flask import Flask, Response, request

_FILE = Path(__file__).parent.parent / "perpustakaan" / "api" / "openapi.json"
DOCUMENT = json.loads(_FILE.read_text(encoding="utf-8"))


def path_of(rule: str) -> str:
    """A rule of Flask's as the document writes it."""
    return re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule)


def watch(app: Flask) -> None:
    """Let every answer of the application fail the test where it is not as described."""
    app.after_request(assert_described)


def assert_described(answer: Response) -> Response:
    rule = request.url_rule
    if rule is None or not path_of(rule.rule).startswith(
        ("/api/", "/openapi.json", "/healthz", "/readyz")
    ):
        return answer
    if request.method not in (rule.methods or ()) or request.method in ("HEAD", "OPTIONS"):
        return answer
    operation = DOCUMENT["paths"][path_of(rule.rule)][request.method.lower()]
    described = operation["responses"].get(str(answer.status_code))
    assert described, f"{request.method} {rule.rule} says nothing of {answer.status_code}"
    described = resolve(described)
    if "content" in described:
        ((kind, media),) = described["content"].items()
        assert answer.mimetype == kind
        validator(json.dumps(media["schema"])).validate(answer.get_json())
        if kind == "application/problem+json":
            assert f"`{answer.get_json()['code']}`" in described["description"], answer.get_json()
    else:
        assert not answer.get_data()
    for name in described.get("headers", {}):
        assert name in answer.headers
    return answer


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return resolve(found)


@cache
def validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    whole = json.loads(schema) | {"components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
