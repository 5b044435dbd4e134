"""The cover of a book: an SVG drawn from its title and author, the same one every time.

Colours and the pattern, taken from batik, follow from a hash of both. Text stays text: it is
escaped, and the picture has no script, no style sheet and no font from elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from xml.sax.saxutils import escape

from perpustakaan.batik import PALETTES, PATTERNS

WIDTH, HEIGHT = 300, 450
_MARGIN = 30
# Sizes of the title's letters, from the largest: the first at which it fits is taken.
_SIZES = (46, 40, 34, 29, 25, 22)
_TITLE_HEIGHT = 180
_AUTHOR_SIZES = (22, 19)
# What XML 1.0 has no way to write.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The widths of letters in parts of the font's size, for serifs such as Georgia and DejaVu.
_NARROW, _WIDE, _CAPITAL, _OTHER = 0.42, 1.05, 0.82, 0.68


def cover(title: str, author: str) -> str:
    """An SVG of 2 to 3 for a book; the same for the same title and author."""
    title, author = _clean(title), _clean(author)
    seed = hashlib.sha256(f"{title}\n{author}".encode()).digest()
    palette = PALETTES[seed[0] % len(PALETTES)]
    size, tile = PATTERNS[seed[1] % len(PATTERNS)](palette)
    scale = (1, 1.25, 1.5)[seed[2] % 3]
    band = 138 + seed[3] % 3 * 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' width="{WIDTH}" height="{HEIGHT}" role="img"><title>{escape(title)}</title><defs>'
        f'<pattern id="p" width="{size}" height="{size}" patternUnits="userSpaceOnUse"'
        f' patternTransform="translate(0 {HEIGHT}) scale({scale})">{tile}</pattern></defs>'
        f'<path fill="{palette.ground}" d="M0 0h{WIDTH}v{HEIGHT}H0Z"/>'
        f'<path fill="url(#p)" d="M0 {HEIGHT - band}h{WIDTH}v{band}H0Z"/>'
        f'<path fill="{palette.accent}" d="M0 {HEIGHT - band - 6}h{WIDTH}v6H0Z"/>'
        f'<path fill="#000" fill-opacity=".18" d="M0 0h10v{HEIGHT}H0Z"/>'
        f'<g font-family="Georgia, \'DejaVu Serif\', serif" fill="{palette.text}">'
        f"{_title(title)}{_author(author, HEIGHT - band - 26)}</g></svg>"
    )


def _clean(text: str) -> str:
    return " ".join(_NOT_XML.sub("", text).split())


def _title(title: str) -> str:
    for size in _SIZES:
        lines, fits = _wrap(title, size, _TITLE_HEIGHT // round(size * 1.15), breaks=False)
        if fits:
            break
    else:
        lines, _ = _wrap(title, size, _TITLE_HEIGHT // round(size * 1.15), breaks=True)
    return "".join(
        f'<text x="{_MARGIN}" y="{_MARGIN + size + round(number * size * 1.15)}"'
        f' font-size="{size}" font-weight="bold">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )


def _author(author: str, baseline: int) -> str:
    for size in _AUTHOR_SIZES:
        lines, fits = _wrap(author, size, 2, breaks=True)
        if fits:
            break
    return "".join(
        f'<text x="{_MARGIN}" y="{baseline - (len(lines) - number) * round(size * 1.2)}"'
        f' font-size="{size}">{escape(line)}</text>'
        for number, line in enumerate(lines, start=1)
    )


def _wrap(text: str, size: int, most: int, *, breaks: bool) -> tuple[list[str], bool]:
    """Lines of a text, at most `most`, and whether all of it stands on them.

    A word too long for a line is broken if `breaks`, else nothing fits.
    """
    room = (WIDTH - 2 * _MARGIN) / size
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if _width(joined) <= room:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        if _width(word) > room and not breaks:
            return lines, False
        for letter in word:
            if _width(lines[-1] + letter) > room:
                lines.append("")
            lines[-1] += letter
    if len(lines) <= most:
        return lines, True
    last = lines[most - 1]
    while _width(last + "…") > room:
        last = last[:-1]
    return [*lines[: most - 1], last.rstrip() + "…"], False


def _width(text: str) -> float:
    """The width in parts of the font's size, about and rather too wide than too narrow."""
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> float:
    if letter in "iljtfrI.,:;!'\u2019|()[]- ":
        return _NARROW
    if letter in "mwMW@%" or ord(letter) > 0x2E7F:  # from here on Chinese, Japanese, pictures
        return _WIDE
    return _CAPITAL if letter.isupper() else _OTHER
