"""The parser of urlencoded, multipart and JSON bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

from flask import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app.core.database import release_connection
from app.core.errors import ValidationError
from app.text import _l

MAX_BODY_BYTES = 64 * 1024
MAX_FIELDS = 100
# Far below what any Python's JSON parser can take: 3.11 gives up near 1,000, later versions by the
# size of the stack.
MAX_NESTING = 100
# A JSON string, or what an unclosed one leaves. Possessive, so that no input makes it backtrack.
_JSON_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def parse_body() -> Mapping[str, Any]:
    """The fields of the request's body, each once.

    Raises:
        BadRequest: the body is broken, or names a field twice.
        UnsupportedMediaType: the body is of another kind.
        RequestEntityTooLarge: the body is larger than 64 KiB, or has too many parts.
        ValidationError: it is JSON, and not an object.

    """
    release_connection()  # a body may take seconds to arrive
    kind = request.mimetype
    if kind == "multipart/form-data":
        return _multipart()
    raw = request.get_data(cache=True)
    if kind == "application/x-www-form-urlencoded" or (not kind and not raw):
        return _urlencoded(raw)
    if kind == "application/json":
        return _json(raw)
    raise UnsupportedMediaType(
        _l('Unsupported media type "%(media_type)s" in request.', media_type=kind)
    )


def _urlencoded(raw: bytes) -> Mapping[str, Any]:
    try:
        pairs = parse_qsl(
            raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise BadRequest(_l("The form is not valid UTF-8, or has too many fields.")) from None
    return _unique(pairs)


def _multipart() -> Mapping[str, Any]:
    pairs = [*request.form.items(multi=True), *request.files.items(multi=True)]
    if any(isinstance(value, str) and "\N{REPLACEMENT CHARACTER}" in value for _, value in pairs):
        raise BadRequest(_l("The multipart form is not valid UTF-8."))
    return _unique(pairs)


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        text = raw.decode("utf-8")
        _refuse_deep_nesting(text)
        body = _DECODER.decode(text)
    except ValueError:
        raise BadRequest(_l("JSON parse error - the body is not valid JSON in UTF-8.")) from None
    if not isinstance(body, dict):
        kind = type(body).__name__
        message = _l("Invalid data. Expected a dictionary, but got %(datatype)s.", datatype=kind)
        raise ValidationError({"non_field_errors": [message]})
    return cast("dict[str, Any]", body)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise BadRequest(_l("A field was sent twice. Send each field once."))
        values[name] = value
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _refuse_deep_nesting(text: str) -> None:
    """Refuse JSON nested deeper than `MAX_NESTING`, before a parser recurses into it.

    Raises:
        ValueError: it is nested deeper.

    """
    depth = 0
    for character in _JSON_STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise ValueError("nested too deep")
        elif character in "]}":
            depth -= 1
