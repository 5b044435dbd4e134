"""What the description of the API says an operation can refuse."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request

from app.system import api_description

DOCUMENT = api_description.load()
Refusal = tuple[int, str]
# What the introduction says of every operation.
ANYWHERE: set[Refusal] = {
    (int(status), code)
    for status, code in re.findall(r"(\d{3}) `(\w+)`", DOCUMENT["info"]["description"])
}


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        target = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


CODES = set(DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])


def _codes(response: dict[str, Any]) -> set[str]:
    """The codes that a response names in its description or shows in an example."""
    (media,) = response["content"].values()
    shown = {resolve(example)["value"]["code"] for example in media.get("examples", {}).values()}
    return shown | CODES & set(re.findall(r"`(\w+)`", response["description"]))


# By method and path, as Flask writes it, without a slash at its end.
REFUSALS: dict[tuple[str, str], set[Refusal]] = {
    (method.upper(), path.rstrip("/")): {
        (int(status), code)
        for status, response in operation["responses"].items()
        if status >= "400"
        for code in _codes(resolve(response))
    }
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def path_of(rule: str) -> str:
    """A rule of Flask's as the document writes it."""
    return re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule)


def assert_described(answer: Response) -> Response:
    """Whatever a test asks for: a refusal of a described operation is described."""
    if request.url_rule is not None and answer.mimetype == "application/problem+json":
        operation = (request.method, path_of(request.url_rule.rule))
        if operation in REFUSALS:
            refusal = (answer.status_code, answer.get_json()["code"])
            assert refusal in REFUSALS[operation] | ANYWHERE, (operation, refusal)
    return answer
