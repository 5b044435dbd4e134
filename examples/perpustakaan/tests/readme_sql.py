"""The SQL of the README and what MySQL answers, so that what stands there is true.

`python -m readme_sql` in this folder, with TEST_DATABASE_URL, writes the answers into both files.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Any

import pymysql
from conftest import HERE, migrate, run_command
from sqlalchemy.engine import make_url

from tests.support.databases import execute, mysql_database

PAGES = [HERE / "README.md", HERE / "README.id.md"]
RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
# A block of SQL, and the block with the answers that follows.
_PAIR = re.compile(r"(```sql\n(.*?)```\n\n```text\n)(.*?)(```)", re.DOTALL)


def statements_of(page: Path) -> list[str]:
    """The blocks of SQL that are followed by an answer."""
    return [found[1] for found in _PAIR.findall(page.read_text(encoding="utf-8"))]


def answers_of(page: Path) -> list[str]:
    """What the page says that MySQL answers to each block."""
    return [found[2] for found in _PAIR.findall(page.read_text(encoding="utf-8"))]


def ask_mysql(server: str, blocks: list[str]) -> list[str]:
    """Run blocks on a new database with the demo's books, as a user with four rights.

    Args:
        server: the URL of a MySQL server, without a database.
        blocks: statements, each ending in a semicolon.

    Returns:
        For each block, what the program `mysql` would show.

    """
    name, password = f"library_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    with mysql_database(server) as url:
        migrate(url)
        run_command(url, "import-books", "demo/books.csv")
        where = make_url(url)
        execute(
            url,
            f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'",
            f"GRANT {RIGHTS} ON {where.database}.* TO '{name}'@'%'",
        )
        connection = pymysql.connect(
            host=where.host, port=where.port or 3306, user=name, password=password,
            database=where.database, charset="utf8mb4", autocommit=True,
        )  # fmt: skip
        try:
            return [_run(connection, block) for block in blocks]
        finally:
            connection.close()
            execute(url, f"DROP USER '{name}'@'%'")


def _run(connection: Any, block: str) -> str:
    return "".join(_answer(connection, each) for each in re.findall(r"[^;]+;", block))


def _answer(connection: Any, statement: str) -> str:
    with connection.cursor() as cursor:
        try:
            count = cursor.execute(statement)
        except pymysql.err.OperationalError as error:
            number, text = error.args
            return f"ERROR {number}: {re.sub(r' to user .* for', ' for', text)}\n"
        if cursor.description is None:
            return f"Query OK, {_counted(count)} affected\n"
        names = [column[0] for column in cursor.description]
        rows = [["NULL" if v is None else str(v) for v in row] for row in cursor.fetchall()]
    return _table(names, rows) if rows else "Empty set\n"


def _table(names: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    line = "+" + "+".join("-" * (width + 2) for width in widths) + "+\n"
    shown = [
        "|" + "|".join(f" {v:<{w}} " for v, w in zip(row, widths, strict=True)) + "|\n"
        for row in [names, *rows]
    ]
    return f"{line}{shown[0]}{line}{''.join(shown[1:])}{line}{_counted(len(rows))} in set\n"


def _counted(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def main() -> None:
    """Write the answers into the pages."""
    server = os.environ["TEST_DATABASE_URL"].replace("mysql://", "mysql+pymysql://", 1).rstrip("/")
    for page in PAGES:
        answers = iter(ask_mysql(server, statements_of(page)))
        text = page.read_text(encoding="utf-8")
        text = _PAIR.sub(lambda found: found[1] + next(answers) + found[4], text)  # noqa: B023
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
