"""The table `session`: one row for each login."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.Integer, nullable=False, comment="Number of the login (claim sid)"),
        sa.Column("user_id", sa.Integer, comment="Whose; NULL: the account is gone"),
        sa.Column("created_at", sa.DateTime, nullable=False, comment="Logged in at, UTC"),
        sa.Column(
            "last_used_at", sa.DateTime, nullable=False, comment="Last login or refresh, UTC"
        ),
        sa.Column(
            "rotation",
            sa.Integer,
            nullable=False,
            comment="Which refresh token is current, from 0",
        ),
        sa.Column(
            "rotated_at",
            sa.DateTime,
            nullable=False,
            comment="When the current refresh token was made, UTC",
        ),
        sa.Column(
            "expires_at",
            sa.DateTime,
            nullable=False,
            comment="When the current refresh token ends, UTC",
        ),
        sa.Column(
            "access_expires_at",
            sa.DateTime,
            nullable=False,
            comment="When the last access token made here ends, UTC",
        ),
        sa.Column(
            "revoked_at",
            sa.DateTime,
            comment="Ended at, UTC; NULL: alive. Set it to end the login",
        ),
        sa.Column("address", sa.String(45), nullable=False, comment="Client address at login"),
        sa.Column("user_agent", sa.String(255), nullable=False, comment="Client program at login"),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_session_user_id", ondelete="SET NULL"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        sqlite_autoincrement=True,
        comment="Logins: one row for each, ended by revoked_at",
    )
    op.create_index("ix_session_user_id", "session", ["user_id"])
    op.create_index("ix_session_live", "session", ["access_expires_at", "revoked_at", "user_id"])


def downgrade() -> None:
    op.drop_table("session")
