"""Descriptions and examples as HTML."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

# The examples of tokens: what follows says nothing to a reader.
_TOKEN = re.compile(r"eyJ[\w.-]{20,}")
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")


def inline(text: str) -> Markup:
    """The two forms of Markdown that descriptions use inside a line: code and bold."""
    marked = _INLINE.sub(
        lambda found: f"<code>{found[1]}</code>" if found[1] else f"<strong>{found[2]}</strong>",
        str(code(text)),
    )
    return Markup(marked)  # noqa: S704, escaped above


def blocks(text: str) -> tuple[Markup, ...]:
    """Paragraphs and numbered lists, each of them an element."""
    found = []
    for block in text.split("\n\n"):
        if block.startswith("1. "):
            items = [inline(line.partition(" ")[2]) for line in block.splitlines()]
            rows = Markup("").join(Markup("<li>{}</li>").format(item) for item in items)
            found.append(Markup("<ol>{}</ol>").format(rows))
        else:
            found.append(Markup("<p>{}</p>").format(inline(block)))
    return tuple(found)


def shortened(text: str) -> Markup:
    """A request or an answer, whose tokens are cut short."""
    return code(_TOKEN.sub("eyJ…", text))


def code(text: str) -> Markup:
    """Text between tags, where quotes may stay: JSON is half quotes."""
    return Markup(str(escape(text)).replace("&#34;", '"').replace("&#39;", "'"))  # noqa: S704
