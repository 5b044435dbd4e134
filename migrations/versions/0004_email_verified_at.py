"""`user.email_verified_at`: since when the e-mail is known to be its owner's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added in place on SQLite too: a table made anew would take its sessions' owners with it.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    present = {column["name"] for column in at.get_columns("user")} if at else set()
    if "email_verified_at" not in present:
        op.add_column(
            "user",
            sa.Column(
                "email_verified_at",
                sa.DateTime,
                comment="E-mail proven to be the owner's at, UTC; NULL: not proven",
            ),
        )


def downgrade() -> None:
    op.drop_column("user", "email_verified_at")
