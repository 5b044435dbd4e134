"""Proofs by mail in `one_time`: the salt of link and code, the tries, who asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INDEX = "ix_one_time_subject_key"


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    present = {column["name"] for column in at.get_columns("one_time")} if at else set()
    for column in _columns():
        if column.name not in present:
            op.add_column("one_time", column)
    if not at or INDEX not in {index["name"] for index in at.get_indexes("one_time")}:
        op.create_index(INDEX, "one_time", ["subject_key", "purpose"])


def downgrade() -> None:
    op.drop_index(INDEX, "one_time")
    for column in _columns():
        op.drop_column("one_time", column.name)


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column(
            "salt",
            sa.String(43),
            comment="What link and code of a mail are derived from; NULL: not mailed",
        ),
        sa.Column(
            "subject_key",
            sa.String(255),
            comment="E-mail that it is about, without regard to case; NULL: none",
        ),
        sa.Column(
            "tries",
            sa.Integer,
            nullable=False,
            server_default=sa.text("0"),
            comment="How often its code was tried",
        ),
        sa.Column(
            "address",
            sa.String(45),
            nullable=False,
            server_default="",
            comment="Client address that asked for it",
        ),
        sa.Column(
            "user_agent",
            sa.String(255),
            nullable=False,
            server_default="",
            comment="Client program that asked for it",
        ),
    ]
