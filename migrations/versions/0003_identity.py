"""The table `identity`: the outside identities that open an account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    if not (at and at.has_table("identity")):
        _create_table()
    present = {index["name"] for index in at.get_indexes("identity")} if at else set()
    if "ix_identity_user_id" not in present:
        op.create_index("ix_identity_user_id", "identity", ["user_id"])


def downgrade() -> None:
    op.drop_table("identity")


def _create_table() -> None:
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer, nullable=False, comment="Number of the connection"),
        sa.Column("user_id", sa.Integer, nullable=False, comment="Whose account it opens"),
        sa.Column("provider", sa.String(16), nullable=False, comment="google, facebook or oidc"),
        sa.Column(
            "subject",
            sa.String(255),
            nullable=False,
            comment="Who it is there: the provider's own number, never the e-mail",
        ),
        sa.Column("email", sa.String(255), comment="E-mail as the provider last gave it, or NULL"),
        sa.Column("created_at", sa.DateTime, nullable=False, comment="Connected at, UTC"),
        sa.PrimaryKeyConstraint("id", name="pk_identity"),
        sa.UniqueConstraint("provider", "subject", name="uq_identity_subject"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_identity_user_id", ondelete="CASCADE"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        sqlite_autoincrement=True,
        comment="Outside identities: one row for each, opening one account",
    )
