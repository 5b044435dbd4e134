"""The table `counter`: what the limits count."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    if not (at and at.has_table("counter")):
        _create_table()
    present = {index["name"] for index in at.get_indexes("counter")} if at else set()
    if "ix_counter_expires_at" not in present:
        op.create_index("ix_counter_expires_at", "counter", ["expires_at"])


def downgrade() -> None:
    op.drop_table("counter")


def _create_table() -> None:
    op.create_table(
        "counter",
        sa.Column(
            "name",
            sa.String(255),
            nullable=False,
            comment="Which limit, and whose address or account",
        ),
        sa.Column("value", sa.Integer, nullable=False, comment="How often since it began"),
        sa.Column("expires_at", sa.DateTime, nullable=False, comment="Begins anew after this, UTC"),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        comment="Limits: how often an address or account did something",
    )
