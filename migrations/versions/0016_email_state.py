"""`user.pending_email` and `user.must_verify_email`: e-mails that count once they are proven."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    present = {column["name"] for column in at.get_columns("user")} if at else set()
    for column in _columns():
        if column.name not in present:
            op.add_column("user", column)


def downgrade() -> None:
    for column in _columns():
        op.drop_column("user", column.name)


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column(
            "pending_email",
            sa.String(120),
            comment="E-mail that counts once it is proven, or NULL",
        ),
        sa.Column(
            "must_verify_email",
            sa.Boolean,
            nullable=False,
            server_default=sa.text("0"),
            comment="Made under EMAIL_VERIFICATION=required: no login by password before the proof",
        ),
    ]
