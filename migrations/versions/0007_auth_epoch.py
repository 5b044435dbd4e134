"""`user.auth_epoch`, which every change of how an account is proven raises."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    present = {column["name"] for column in at.get_columns("user")} if at else set()
    if "auth_epoch" not in present:
        op.add_column(
            "user",
            sa.Column(
                "auth_epoch",
                sa.Integer,
                nullable=False,
                server_default=sa.text("0"),
                comment="Raised by every change of password, e-mail or login method",
            ),
        )


def downgrade() -> None:
    op.drop_column("user", "auth_epoch")
