"""What a program sends: a form or a JSON object, and parameters of the query."""

from __future__ import annotations

import json
from typing import Any

from flask import request
from flask_babel import lazy_gettext as _l

from perpustakaan.catalogue import MAX_ID, MAX_LIMIT, parse_number
from perpustakaan.problems import Invalid, Problem

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def read_body() -> dict[str, Any]:
    """The fields of the body, in whichever of the three content types.

    Raises:
        Problem: 400 `malformed_body`, 413 or 415.

    """
    if not request.mimetype and not request.get_data():
        return {}
    if request.mimetype in _FORMS:
        return request.form.to_dict()
    if request.mimetype != "application/json":
        sentence = _l("Send a form or JSON.")
        raise Problem(415, "unsupported_media_type", sentence)
    try:
        found = json.loads(request.get_data())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Problem(400, "malformed_body", _l("The body is not a JSON object."))
    return found


def read_number(name: str, most: int = MAX_ID) -> int | None:
    """A number from 1 to `most` of the query, or None where it is missing.

    Raises:
        Invalid: it is something else.

    """
    text = request.args.get(name, "")
    number = parse_number(text, most) if text else None
    if text and number is None:
        raise Invalid({name: [_l("From %(least)s to %(most)s.", least="1", most=str(most))]})
    return number


def read_limit() -> int | None:
    """The parameter `limit` of the query."""
    return read_number("limit", MAX_LIMIT)


def read_switch(name: str) -> bool:
    """A parameter that is `1`, `0` or missing.

    Raises:
        Invalid: it is something else.

    """
    text = request.args.get(name, "")
    if text not in ("", "0", "1"):
        raise Invalid({name: [_l("One of: %(names)s.", names="0, 1")]})
    return text == "1"
