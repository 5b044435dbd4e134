"""`session`: how the person was authenticated, and where the session was used last."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_session_owner"


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    present = {column["name"] for column in at.get_columns("session")} if at else set()
    for column in _columns():
        if column.name not in present:
            op.add_column("session", column)
    indexes = {index["name"] for index in at.get_indexes("session")} if at else set()
    if INDEX not in indexes:
        op.create_index(INDEX, "session", ["user_id", "revoked_at"])
    if not at or "ix_session_user_id" in indexes:
        op.drop_index("ix_session_user_id", "session")
    # An IPv6 address stays as it is here: no later login matches it, which errs on the safe side.
    op.execute(
        "UPDATE session SET network = address, last_address = address WHERE last_address = ''"
    )
    # Earlier versions could leave a disabled account a living session.
    op.execute(
        "UPDATE session SET revoked_at = CURRENT_TIMESTAMP WHERE revoked_at IS NULL "
        "AND user_id IN (SELECT id FROM user WHERE disabled_at IS NOT NULL)"
    )


def downgrade() -> None:
    op.create_index("ix_session_user_id", "session", ["user_id"])
    op.drop_index(INDEX, "session")
    for column in reversed(_columns()):
        op.drop_column("session", column.name)


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column(
            "network",
            sa.String(45),
            nullable=False,
            server_default="",
            comment="Client network at login: the IPv4 address or the IPv6 /64",
        ),
        sa.Column(
            "last_address",
            sa.String(45),
            nullable=False,
            server_default="",
            comment="Client address of the last login or rotation",
        ),
        sa.Column(
            "methods",
            sa.String(64),
            nullable=False,
            server_default="",
            comment="How the person logged in: pwd (password), fed (external identity)",
        ),
        sa.Column(
            "identity_id", sa.Integer, comment="External identity that opened it; NULL: a password"
        ),
        sa.Column(
            "proven_at",
            sa.DateTime,
            comment="When the person last proved to be the owner in this session, UTC",
        ),
    ]
