"""Patterns after batik, and the colours that go together: what covers are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours: of the ground, of the pattern on it in two tones, of the letters."""

    ground: str
    shape: str
    accent: str
    text: str


# Each text has a contrast of at least 7 : 1 with its ground (WCAG 2.2, 1.4.6).
PALETTES = (
    Palette("#12372a", "#2c6a52", "#f2a65a", "#fdf6e9"),
    Palette("#1d2b4f", "#3d5690", "#f0b860", "#fbf7f0"),
    Palette("#6b1f2a", "#a04450", "#f3c67c", "#fff6ea"),
    Palette("#f5e6c8", "#d9ad6a", "#a63a28", "#33210f"),
    Palette("#f28c28", "#c9660c", "#fff1dc", "#2a1605"),
    Palette("#3a2417", "#75502f", "#e9b872", "#fbefdc"),
    Palette("#dfe9dc", "#9dbd9b", "#c0562d", "#17342a"),
    Palette("#0f4a56", "#2f7f8a", "#f6c667", "#f4faf8"),
    Palette("#f3d7c8", "#dc9f83", "#1f5b57", "#3b1a12"),
    Palette("#3d2550", "#6f4d88", "#f2b56b", "#faf3fb"),
    Palette("#dde6f0", "#9fb6d0", "#b5472f", "#14263d"),
    Palette("#f7d774", "#d9a92c", "#7d2f1d", "#2b2005"),
)


def _kawung(p: Palette) -> tuple[int, str]:
    """Four petals that meet, as in batik kawung."""
    petals = "".join(
        f'<ellipse cx="{x}" cy="{y}" rx="13" ry="7" transform="rotate({turn} {x} {y})"/>'
        for x, y, turn in ((16, 16, 45), (44, 16, -45), (16, 44, -45), (44, 44, 45))
    )
    dots = '<circle cx="30" cy="30" r="3.5"/><circle r="3.5"/><circle cx="60" r="3.5"/>'
    dots += '<circle cy="60" r="3.5"/><circle cx="60" cy="60" r="3.5"/>'
    return 60, f'<g fill="{p.shape}">{petals}</g><g fill="{p.accent}">{dots}</g>'


def _parang(p: Palette) -> tuple[int, str]:
    """Slanting rows, as in batik parang."""
    return 48, (
        f'<path d="M-12 12L12-12M0 48L48 0M36 60L60 36" stroke="{p.shape}" stroke-width="14"/>'
        f'<path d="M-12 36L36-12M12 60L60 12" stroke="{p.accent}" stroke-width="2.5"'
        ' stroke-dasharray="9 8"/>'
    )


def _tumpal(p: Palette) -> tuple[int, str]:
    """Rows of triangles, as on the edge of a sarong."""
    return 50, (
        f'<path d="M0 50L25 6L50 50Z" fill="{p.shape}"/>'
        f'<path d="M13 50L25 28L37 50Z" fill="{p.accent}"/>'
    )


def _ceplok(p: Palette) -> tuple[int, str]:
    """Stars in squares, as in batik ceplok."""
    return 56, (
        f'<path d="M28 2L54 28L28 54L2 28Z" fill="none" stroke="{p.shape}" stroke-width="4"/>'
        f'<path d="M28 12L32.5 23.5L44 28L32.5 32.5L28 44L23.5 32.5L12 28L23.5 23.5Z"'
        f' fill="{p.accent}"/>'
        f'<path d="M0 0h7L0 7ZM56 0v7L49 0ZM0 56v-7L7 56ZM56 56h-7L56 49Z" fill="{p.shape}"/>'
    )


def _sisik(p: Palette) -> tuple[int, str]:
    """Scales that overlap, as in batik sisik."""
    rows = "".join(
        f'<circle cx="{x}" cy="{y}" r="24" fill="{p.ground}" stroke="{p.shape}" stroke-width="4"/>'
        f'<circle cx="{x}" cy="{y}" r="9" fill="{p.accent if y == 24 else p.shape}"/>'
        for y, columns in ((48, (0, 48)), (24, (24,)), (0, (0, 48)))
        for x in columns
    )
    return 48, rows


def _mega(p: Palette) -> tuple[int, str]:
    """Arches within arches, after the clouds of batik megamendung."""
    arches = "".join(
        f'<path d="M{30 - r} 60V40a{r} {r} 0 0 1 {2 * r} 0v20" fill="none"'
        f' stroke="{p.accent if r == 11 else p.shape}" stroke-width="5"/>'
        for r in (27, 19, 11)
    )
    return 60, arches


# Each gives the side of its square tile, and what is drawn on it.
PATTERNS: tuple[Callable[[Palette], tuple[int, str]], ...] = (
    _kawung,
    _parang,
    _tumpal,
    _ceplok,
    _sisik,
    _mega,
)
