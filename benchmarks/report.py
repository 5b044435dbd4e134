"""What the harness prints, as Markdown, and the plot that it draws."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from html import escape
from pathlib import Path

_BAR, _GAP, _LEFT, _WIDTH = 22, 10, 430, 360


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """What this was measured on."""
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), "
        f"{memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start"
    )


def bars(path: Path, title: str, unit: str, values: Sequence[tuple[str, float, bool]]) -> None:
    """Draw a bar for each name and value; those that are ours are told apart."""
    top = max(value for _, value, _ in values)
    height = 50 + len(values) * (_BAR + _GAP)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 90} {height}" '
            f'font-family="system-ui, sans-serif" font-size="13" role="img" '
            f'aria-label="{escape(title)}">'
        ),
        (
            "<style>text{fill:#222}.bar{fill:#8a94a6}.ours{fill:#2f6fde}"
            "@media (prefers-color-scheme: dark){text{fill:#ddd}.bar{fill:#6b7688}"
            ".ours{fill:#6ea0ff}}"
            "</style>"
        ),
        f'<text x="0" y="20" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for number, (name, value, ours) in enumerate(values):
        y = 40 + number * (_BAR + _GAP)
        width = max(1.0, value / top * _WIDTH)
        middle = y + _BAR * 0.7
        parts += [
            f'<text x="{_LEFT - 10}" y="{middle:.0f}" text-anchor="end">{escape(name)}</text>',
            (
                f'<rect x="{_LEFT}" y="{y}" width="{width:.0f}" height="{_BAR}" rx="3" '
                f'class="{"ours" if ours else "bar"}"/>'
            ),
            f'<text x="{_LEFT + width + 8:.0f}" y="{middle:.0f}">{value:,.0f} {unit}</text>',
        ]
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")
