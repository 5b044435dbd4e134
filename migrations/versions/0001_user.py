"""The table `user`: made, or taken over as the assignment's first version left it."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
    "sqlite_autoincrement": True,
    "comment": "Accounts: one row for each person",
}
UNIQUE = {
    "uq_user_username_key": "username_key",
    "uq_user_email_key": "email_key",
}
DUPLICATES_HELP = (
    "Nothing was changed. Settle it by hand, or let the oldest account keep the e-mail, the "
    "others then logging in by username: ./loguserapp db upgrade -x duplicate-emails=oldest"
)


def columns() -> list[sa.Column[Any]]:
    """The table's columns, in order."""
    return [
        sa.Column(
            "id", sa.Integer, primary_key=True, comment="Number of the account, never reused"
        ),
        sa.Column("username", sa.String(80), nullable=False, comment="Name as the person wrote it"),
        sa.Column("email", sa.String(120), comment="E-mail as the person wrote it, or NULL"),
        sa.Column(
            "password", sa.String(200), comment="bcrypt hash, or NULL where there is no password"
        ),
        sa.Column(
            "username_key",
            sa.String(255),
            nullable=False,
            comment="username without regard to case: decides uniqueness",
        ),
        sa.Column(
            "email_key",
            sa.String(255),
            comment="email without regard to case: decides uniqueness; NULL: no login by it",
        ),
        sa.Column(
            "created_at",
            sa.DateTime,
            comment="Registered at, UTC; NULL: before this column existed",
        ),
        sa.Column("disabled_at", sa.DateTime, comment="Shut out since, UTC; NULL: may log in"),
    ]


def upgrade() -> None:
    if op.get_context().dialect.name != "sqlite":
        op.execute(
            "ALTER TABLE alembic_version COMMENT 'Which migration the tables stand at', "
            "DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, "
            "MODIFY version_num VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin "
            "NOT NULL COMMENT 'Name of the newest migration'"
        )
    if context.is_offline_mode() or not sa.inspect(op.get_bind()).has_table("user"):
        unique = [sa.UniqueConstraint(column, name=name) for name, column in UNIQUE.items()]
        pk = sa.PrimaryKeyConstraint("id", name="pk_user")
        op.create_table("user", *columns(), pk, *unique, **OPTIONS)
        return
    keys = _keys()
    # MySQL does not roll a change of a table back: every step below can be repeated after one
    # that failed, and until the last one the first version of the program still runs.
    _add_columns()
    for row_id, (username_key, email_key) in keys.items():
        op.get_bind().execute(
            sa.text("UPDATE user SET username_key = :u, email_key = :e WHERE id = :id"),
            {"u": username_key, "e": email_key, "id": row_id},
        )
    _tighten()


def downgrade() -> None:
    """Leave the four columns of the assignment, with every row."""
    with op.batch_alter_table("user", table_kwargs={"sqlite_autoincrement": True}) as table:
        for name in UNIQUE:
            table.drop_constraint(name, type_="unique")
        for name in ("username_key", "email_key", "created_at", "disabled_at"):
            table.drop_column(name)


def _key(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _keys() -> dict[int, tuple[str, str | None]]:
    """The keys of every row, or a refusal that names the rows which share one."""
    rows = op.get_bind().execute(sa.text("SELECT id, username, email FROM user ORDER BY id")).all()
    by_name, by_email = defaultdict(list), defaultdict(list)
    for row in rows:  # MySQL will compare the keys without the spaces at their ends
        by_name[_key(row.username).rstrip(" ")].append(row.id)
        if row.email:
            by_email[_key(row.email).rstrip(" ")].append(row.id)
    shared_names = _shared(by_name)
    if shared_names:
        raise SystemExit(
            f"loguserapp: accounts share a username but for case or spaces: {shared_names}. "
            "Nothing was changed. Rename all but one of them, then upgrade again."
        )
    shared_emails = _shared(by_email)
    if shared_emails and context.get_x_argument(True).get("duplicate-emails") != "oldest":
        raise SystemExit(
            f"loguserapp: accounts share an e-mail: {shared_emails}. {DUPLICATES_HELP}"
        )
    owners = {ids[0] for ids in by_email.values()}
    return {
        row.id: (_key(row.username), _key(row.email) if row.id in owners else None) for row in rows
    }


def _shared(by_key: dict[str, list[int]]) -> str:
    return "; ".join(
        f"{key} (id {', '.join(map(str, ids))})" for key, ids in by_key.items() if len(ids) > 1
    )


def _add_columns() -> None:
    present = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("user")}
    for column in columns():
        if column.name not in present:
            column.nullable = True
            op.add_column("user", column)


def _tighten() -> None:
    """Give the table the types, the comments and the two unique keys of a new one."""
    bind = op.get_bind()
    indexes = {index["name"] for index in sa.inspect(bind).get_indexes("user")}
    if bind.dialect.name != "sqlite":
        op.execute("ALTER TABLE user CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        for name in indexes - UNIQUE.keys():
            op.drop_index(str(name), "user")
        for column in columns():
            op.alter_column(
                "user",
                column.name,
                existing_type=column.type,
                nullable=column.nullable,
                comment=column.comment,
                autoincrement=column.name == "id",
                existing_nullable=column.nullable,
            )
        op.create_table_comment("user", OPTIONS["comment"])
        for name, column_name in UNIQUE.items():
            if name not in indexes:
                op.create_unique_constraint(name, "user", [column_name])
        return
    unique = [sa.UniqueConstraint(column, name=name) for name, column in UNIQUE.items()]
    pk = sa.PrimaryKeyConstraint("id", name="pk_user")
    whole = sa.Table("user", sa.MetaData(), *columns(), pk, *unique, sqlite_autoincrement=True)
    with op.batch_alter_table("user", copy_from=whole, recreate="always"):
        pass
