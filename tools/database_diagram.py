"""Draws the tables from the models: `python -m tools.database_diagram` writes tables.svg."""

from __future__ import annotations

from html import escape
from pathlib import Path

from sqlalchemy import Column, Table
from sqlalchemy.dialects import mysql

from app.models import Base

TARGET = Path(__file__).parents[1] / "docs" / "database" / "tables.svg"
WIDTH, ROW, GAP = 330, 22, 36
LEFT, RIGHT = 20, 20 + WIDTH + 130
STYLE = """
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328 }
  .name { font-weight: 700 } .type { fill: #59636e; text-anchor: end }
  .key { fill: #a3500a; font-weight: 700 } .paper { fill: #fbf7f0 }
  .box { fill: #fff; stroke: #59636e } .head { fill: #f6e3cb; stroke: #59636e }
  path { fill: none; stroke: #1f6b4a; stroke-width: 2 }
  .many { fill: #1f6b4a; text-anchor: middle }
"""


def svg() -> str:
    """The diagram."""
    tables = {table.name: table for table in Base.metadata.sorted_tables}
    owned = [table for table in tables.values() if table.foreign_keys]
    free = [table for table in tables.values() if not table.foreign_keys]
    places: dict[str, tuple[int, int]] = {}
    heights = []
    for x, column in ((LEFT, free), (RIGHT, owned)):
        y = 20
        for table in column:
            places[table.name] = (x, y)
            y += (len(table.columns) + 1) * ROW + GAP
        heights.append(y)
    width, height = RIGHT + WIDTH + 20, max(heights) - GAP + 20
    parts = [_table(table, *places[table.name]) for table in tables.values()]
    parts += [_line(table, column, places) for table in owned for column in table.columns]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Tables and what refers to what"><style>{STYLE}</style>'
        f'<rect class="paper" width="{width}" height="{height}"/>{"".join(parts)}</svg>\n'
    )


def _table(table: Table, x: int, y: int) -> str:
    height = (len(table.columns) + 1) * ROW
    rows = [
        (
            f'<rect class="box" x="{x}" y="{y}" width="{WIDTH}" height="{height}" rx="4"/>'
            f'<rect class="head" x="{x}" y="{y}" width="{WIDTH}" height="{ROW}" rx="4"/>'
            f'<text class="name" x="{x + 10}" y="{y + 16}">{escape(table.name)}</text>'
        )
    ]
    for number, column in enumerate(table.columns, start=1):
        base = y + number * ROW + 16
        kind = escape(str(column.type.compile(mysql.dialect())).lower())
        null = " null" if column.nullable else ""
        mark = "key" if column.primary_key else ""
        rows.append(
            f'<text class="{mark}" x="{x + 10}" y="{base}">{escape(column.name)}</text>'
            f'<text class="type" x="{x + WIDTH - 10}" y="{base}">{kind}{null}</text>'
        )
    return "".join(rows)


def _line(table: Table, column: Column[object], places: dict[str, tuple[int, int]]) -> str:
    for key in column.foreign_keys:
        from_x, from_y = places[table.name]
        to_x, to_y = places[key.column.table.name]
        y1 = from_y + (list(table.columns).index(column) + 1) * ROW + ROW // 2
        y2 = to_y + ROW + ROW // 2
        x1, x2 = from_x, to_x + WIDTH
        middle = (x1 + x2) // 2
        return (
            f'<path d="M{x1} {y1} H{middle} V{y2} H{x2}"/>'
            f'<text class="many" x="{x1 - 12}" y="{y1 - 5}">n</text>'
            f'<text class="many" x="{x2 + 12}" y="{y2 - 5}">1</text>'
        )
    return ""


if __name__ == "__main__":
    TARGET.write_text(svg(), encoding="utf-8")
