"""`user.first_visit_until`: the first visit of an account that a provider login created."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    present = {column["name"] for column in at.get_columns("user")} if at else set()
    if "first_visit_until" not in present:
        op.add_column(
            "user",
            sa.Column(
                "first_visit_until",
                sa.DateTime,
                comment="Until then username and missing e-mail may be chosen once, UTC; "
                "NULL: chosen",
            ),
        )


def downgrade() -> None:
    op.drop_column("user", "first_visit_until")
