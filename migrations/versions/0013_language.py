"""`user.language`: in which language a person reads pages and mails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    present = {column["name"] for column in at.get_columns("user")} if at else set()
    if "language" not in present:
        op.add_column(
            "user",
            sa.Column(
                "language",
                sa.String(8),
                comment="Language of pages and mails, such as id; NULL: as the browser asks",
            ),
        )


def downgrade() -> None:
    op.drop_column("user", "language")
