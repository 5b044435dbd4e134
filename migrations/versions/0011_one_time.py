"""The table `one_time`: every secret that counts once. The codes of `social_code` lived 60 s."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEXES = {"ix_one_time_user_id": ["user_id"], "ix_one_time_expires_at": ["expires_at"]}


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    if not (at and at.has_table("one_time")):
        _create_table()
    present = {index["name"] for index in at.get_indexes("one_time")} if at else set()
    for name, columns in INDEXES.items():
        if name not in present:
            op.create_index(name, "one_time", columns)
    if not at or at.has_table("social_code"):
        op.drop_table("social_code")


def downgrade() -> None:
    op.create_table(
        "social_code",
        sa.Column(
            "code_hash",
            sa.String(64),
            nullable=False,
            comment="SHA-256 of the code, which itself is not kept",
        ),
        sa.Column("user_id", sa.Integer, nullable=False, comment="Who signed in"),
        sa.Column(
            "challenge",
            sa.String(43),
            nullable=False,
            comment="S256 of the verifier that must come with the code (RFC 7636)",
        ),
        sa.Column("expires_at", sa.DateTime, nullable=False, comment="Good until, UTC"),
        sa.PrimaryKeyConstraint("code_hash", name="pk_social_code"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_social_code_user_id", ondelete="CASCADE"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        comment="One-time codes not exchanged yet",
    )
    op.create_index("ix_social_code_user_id", "social_code", ["user_id"])
    op.drop_table("one_time")


def _create_table() -> None:
    op.create_table(
        "one_time",
        sa.Column("id", sa.Integer, nullable=False, comment="Number of the secret"),
        sa.Column("purpose", sa.String(32), nullable=False, comment="What the secret is good for"),
        sa.Column(
            "secret_hash",
            sa.String(64),
            nullable=False,
            comment="HMAC-SHA-256 of the secret, which itself is not kept",
        ),
        sa.Column("user_id", sa.Integer, comment="Account that it is for"),
        sa.Column(
            "subject",
            sa.String(255),
            nullable=False,
            server_default="",
            comment="The exact e-mail or credential that it is about",
        ),
        sa.Column(
            "epoch",
            sa.Integer,
            comment="user.auth_epoch at its making: good for no other; NULL: for any",
        ),
        sa.Column(
            "challenge",
            sa.String(43),
            comment="S256 of the verifier that must come with it (RFC 7636), or NULL",
        ),
        sa.Column("created_at", sa.DateTime, nullable=False, comment="Made at, UTC"),
        sa.Column("expires_at", sa.DateTime, nullable=False, comment="Good until, UTC"),
        sa.PrimaryKeyConstraint("id", name="pk_one_time"),
        sa.UniqueConstraint("secret_hash", name="uq_one_time_secret_hash"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_one_time_user_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        comment="Secrets that count once: codes, later mailed proofs and second steps",
    )
