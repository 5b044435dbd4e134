"""The table `lease`: which process does a job that one process at a time may do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    if not context.is_offline_mode() and sa.inspect(op.get_bind()).has_table("lease"):
        return
    op.create_table(
        "lease",
        sa.Column("name", sa.String(32), nullable=False, comment="The job"),
        sa.Column("holder", sa.String(64), nullable=False, comment="The process that does it"),
        sa.Column("expires_at", sa.DateTime, nullable=False, comment="Held until, UTC"),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        comment="Jobs that one process at a time does, such as deleting expired rows",
    )


def downgrade() -> None:
    op.drop_table("lease")
