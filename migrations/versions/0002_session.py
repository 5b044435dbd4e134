"""The table `session`: one row for each login."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_session_user_id": ["user_id"],
    "ix_session_live": ["access_expires_at", "revoked_at", "user_id"],
}


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    if not (at and at.has_table("session")):
        _create_table()
    present = {index["name"] for index in at.get_indexes("session")} if at else set()
    for name, columns in INDEXES.items():
        if name not in present:
            op.create_index(name, "session", columns)


def downgrade() -> None:
    op.drop_table("session")


def _create_table() -> None:
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
