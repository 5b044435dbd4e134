"""Reads an OpenAPI document into what the page shows."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from typing import Any

from app.system.reference.markup import blocks, code, inline, shortened
from app.system.reference.values import (
    Answer,
    Field,
    Group,
    Operation,
    Reference,
    Schema,
)

# A refusal of the components that as many operations have is described once for all of them.
_SHARED_BY = 2
# What a shell and a form leave as it is.
_PLAIN = re.compile(r"[\w.@-]+")


def build(document: dict[str, Any]) -> Reference:
    """Read an OpenAPI document."""
    return _Reader(document).reference()


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._components = document["components"]
        self._url = document["servers"][0]["url"]
        self._operations = [
            (method, path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
        ]
        self._shared = self._find_shared()

    def reference(self) -> Reference:
        """Everything."""
        security = self._components["securitySchemes"]["accessToken"]
        return Reference(
            introduction=blocks(self._document["info"]["description"]),
            authentication=inline(security["description"]),
            groups=tuple(self._group(tag) for tag in self._document["tags"]),
            shared=tuple(
                self._answer(self._shared[name], {"$ref": f"#/components/responses/{name}"})
                for name in sorted(self._shared, key=lambda name: self._shared[name])
            ),
            schemas=tuple(
                self._schema(name, schema)
                for name, schema in sorted(self._components["schemas"].items())
                if _is_object(schema) and name not in self._components["requestBodies"]
            ),
        )

    def _find_shared(self) -> dict[str, str]:
        """The status of each refusal that many operations have, by its name."""
        used = Counter(
            (_name(response), status)
            for *_, operation in self._operations
            for status, response in operation["responses"].items()
            if status >= "400"
        )
        return {name: status for (name, status), n in used.items() if name and n >= _SHARED_BY}

    def _group(self, tag: dict[str, Any]) -> Group:
        return Group(
            tag["name"],
            tag["name"].lower().replace(" ", "-"),
            inline(tag["description"]),
            tuple(
                self._operation(method, path, operation)
                for method, path, operation in self._operations
                if tag["name"] in operation["tags"]
            ),
        )

    def _operation(self, method: str, path: str, operation: dict[str, Any]) -> Operation:
        responses = operation["responses"].items()
        return Operation(
            id=operation["operationId"],
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            description=inline(operation.get("description", "")),
            secured="security" in operation,
            fields=self._parameters(operation) + self._fields(self._body(operation)),
            example=shortened(self._curl(method.upper(), path, operation)),
            answers=tuple(
                self._answer(status, response)
                for status, response in responses
                if _name(response) not in self._shared
            ),
            shared=tuple(
                self._answer(status, response)
                for status, response in responses
                if _name(response) in self._shared
            ),
        )

    def _body(self, operation: dict[str, Any]) -> dict[str, Any]:
        body = self._resolve(operation.get("requestBody", {}))
        return self._resolve(body["content"]["application/json"]["schema"]) if body else {}

    def _parameters(self, operation: dict[str, Any]) -> tuple[Field, ...]:
        found = []
        for each in operation.get("parameters", []):
            kind = f"{self._kind(self._resolve(each['schema']))}, in the {each['in']}"
            description = inline(each["description"])
            found.append(Field(each["name"], code(kind), None, "required", description))
        return tuple(found)

    def _fields(self, schema: dict[str, Any]) -> tuple[Field, ...]:
        required = schema.get("required", [])
        either = [name for choice in schema.get("anyOf", []) for name in choice["required"]]
        return tuple(
            Field(
                name,
                code(self._kind(self._resolve(part))),
                self._link(part),
                "required"
                if name in required
                else "one of these"
                if name in either
                else "optional",
                inline(self._resolve(part).get("description", "")),
            )
            for name, part in schema.get("properties", {}).items()
        )

    def _schema(self, name: str, schema: dict[str, Any]) -> Schema:
        base = _name(schema["allOf"][0]) if "allOf" in schema else None
        return Schema(name, inline(schema.get("description", "")), base, self._fields(schema))

    def _answer(self, status: str, part: dict[str, Any]) -> Answer:
        response = self._resolve(part)
        content: dict[str, Any] = response.get("content", {"": {}})
        kind, media = next(iter(content.items()))
        examples = [self._resolve(each)["value"] for each in media.get("examples", {}).values()]
        refused = kind == "application/problem+json"
        schema = media.get("schema", {})
        example = None if refused or not media else self._example(media, examples)
        headers = response.get("headers", {}).items()
        return Answer(
            name=_name(part),
            status=status,
            description=inline(response["description"]),
            example=None if example is None else shortened(_printed(example)),
            schema=None if refused else self._link(schema),
            refusals=tuple((code(each["code"]), code(each["detail"])) for each in examples)
            if refused
            else (),
            headers=tuple((name, inline(self._resolve(h)["description"])) for name, h in headers),
        )

    def _example(self, media: dict[str, Any], examples: list[Any]) -> Any:
        if examples:
            return examples[0]
        return media["example"] if "example" in media else self._value(media["schema"])

    def _value(self, part: dict[str, Any]) -> Any:
        """A value that a schema allows: its first example, or made of those of its parts."""
        schema = self._resolve(part)
        if "examples" in schema:
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if schema.get("type") == "array":
            return [self._value(schema["items"])]
        if schema.get("type") == "boolean":
            return True
        return {name: self._value(inner) for name, inner in schema.get("properties", {}).items()}

    def _curl(self, method: str, path: str, operation: dict[str, Any]) -> str:
        for parameter in operation.get("parameters", []):
            value = str(self._value(parameter["schema"]))
            path = path.replace(f"{{{parameter['name']}}}", value)
        lines = [f"curl {self._url}{path}"]
        body = self._body(operation)
        # curl itself chooses POST for a body, and GET without one.
        if method != ("POST" if body else "GET"):
            lines[0] = f"curl -X {method} {self._url}{path}"
        if "security" in operation:
            lines.append('-H "Authorization: Bearer $ACCESS_TOKEN"')
        values = self._value(body) if body else {}
        for name, value in values.items():
            option = "-d" if _PLAIN.fullmatch(value) else "--data-urlencode"
            lines.append(f"{option} {shlex.quote(f'{name}={value}')}")
        return " \\\n  ".join(lines)

    def _link(self, part: dict[str, Any]) -> str | None:
        """The schema to look at for this one, when it has a description of its own."""
        if part.get("type") == "array":
            return self._link(part["items"])
        name = _name(part)
        return name if name and _is_object(self._components["schemas"][name]) else None

    def _kind(self, schema: dict[str, Any]) -> str:
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            return f"one of {', '.join(schema['enum'])}"
        kinds = schema.get("type", "object")
        text = " or ".join(kinds) if isinstance(kinds, list) else kinds
        if text == "array":
            return f"list of {self._kind(self._resolve(schema['items']))}s"
        limits = [schema.get("format", "")]
        for low, high, unit in (
            (schema.get("minLength"), schema.get("maxLength"), " characters"),
            (schema.get("minimum"), schema.get("maximum"), ""),
        ):
            if low is not None and high is not None:
                limits.append(f"{low} to {high}{unit}")
            elif high is not None:
                limits.append(f"at most {high}{unit}")
            elif low is not None and low > 1:
                limits.append(f"at least {low}{unit}")
        return ", ".join(filter(None, [text, *limits]))

    def _resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference; what stands beside it comes before what it leads to."""
        while "$ref" in part:
            _, _, kind, name = part["$ref"].split("/")
            beside = {key: value for key, value in part.items() if key != "$ref"}
            part = self._components[kind][name] | beside
        return part


def _printed(value: Any) -> str:
    return value.rstrip() if isinstance(value, str) else json.dumps(value, indent=2)


def _name(part: dict[str, Any]) -> str:
    """The name of the component that a part refers to, or ""."""
    name: str = part.get("$ref", "").rpartition("/")[2]
    return name


def _is_object(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" or "allOf" in schema
