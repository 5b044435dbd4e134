"""The description of the API: one document, merged from a part of each feature.

`app/<feature>/openapi.json` has the paths that the feature serves and the components that no other
feature uses, and so has that of a folder in a feature. The part of `system` has the head of the
document, and what several features use.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_APP = Path(__file__).parents[1]
_HEAD = _APP / "system" / "openapi.json"


def load() -> dict[str, Any]:
    """Read the parts and merge them.

    Raises:
        ValueError: two parts have a path or a component of the same name.

    """
    others = [path for path in sorted(_APP.rglob("openapi.json")) if path != _HEAD]
    return merge(*(json.loads(path.read_text("utf-8")) for path in (_HEAD, *others)))


def merge(head: dict[str, Any], *parts: dict[str, Any]) -> dict[str, Any]:
    """Merge the paths and components of OpenAPI documents.

    Args:
        head: the document that has the other members too; its paths come last.
        parts: documents with paths and components only.

    Raises:
        ValueError: two of them have a path or a component of the same name.

    """
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {kind: {} for kind in head["components"]}
    for part in (*parts, head):
        _add(paths, part["paths"])
        for kind, named in part["components"].items():
            _add(components.setdefault(kind, {}), named)
    return head | {"paths": paths, "components": components}


def _add(known: dict[str, Any], more: dict[str, Any]) -> None:
    twice = known.keys() & more.keys()
    if twice:
        raise ValueError(f"described twice: {', '.join(sorted(twice))}")
    known |= more
