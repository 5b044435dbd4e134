"""The table `social_code`: one-time codes for front ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    if not (at and at.has_table("social_code")):
        _create_table()
    present = {index["name"] for index in at.get_indexes("social_code")} if at else set()
    if "ix_social_code_user_id" not in present:
        op.create_index("ix_social_code_user_id", "social_code", ["user_id"])


def downgrade() -> None:
    op.drop_table("social_code")


def _create_table() -> None:
    op.create_table(
        "social_code",
        sa.Column(
            "code_hash",
            sa.String(64),
            nullable=False,
            comment="SHA-256 of the code, which itself is not kept",
        ),
        sa.Column("user_id", sa.Integer, nullable=False, comment="Who signed in"),
        sa.Column(
            "challenge",
            sa.String(43),
            nullable=False,
            comment="S256 of the verifier that must come with the code (RFC 7636)",
        ),
        sa.Column("expires_at", sa.DateTime, nullable=False, comment="Good until, UTC"),
        sa.PrimaryKeyConstraint("code_hash", name="pk_social_code"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_social_code_user_id", ondelete="CASCADE"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        comment="One-time codes not exchanged yet",
    )
