"""The table `outbox`: mails that wait to be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INDEXES = {"ix_outbox_proof_id": ["proof_id"], "ix_outbox_due_at": ["due_at"]}


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    if not (at and at.has_table("outbox")):
        _create_table()
    present = {index["name"] for index in at.get_indexes("outbox")} if at else set()
    for name, columns in INDEXES.items():
        if name not in present:
            op.create_index(name, "outbox", columns)


def downgrade() -> None:
    op.drop_table("outbox")


def _create_table() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, nullable=False, comment="Number of the mail"),
        sa.Column("kind", sa.String(32), nullable=False, comment="Which mail it is"),
        sa.Column(
            "proof_id",
            sa.Integer,
            nullable=False,
            comment="Proof that it carries, which names account and address",
        ),
        sa.Column(
            "detail",
            sa.String(80),
            nullable=False,
            server_default="",
            comment="What the mail is about, such as the name of a provider",
        ),
        sa.Column(
            "language", sa.String(8), comment="Language of the request that caused it, or NULL"
        ),
        sa.Column("created_at", sa.DateTime, nullable=False, comment="Asked for at, UTC"),
        sa.Column("due_at", sa.DateTime, nullable=False, comment="To be sent from then on, UTC"),
        sa.Column(
            "claimed_until",
            sa.DateTime,
            comment="A process is sending it, at most until then, UTC; NULL: none is",
        ),
        sa.Column(
            "tries",
            sa.Integer,
            nullable=False,
            server_default=sa.text("0"),
            comment="How often sending it has failed",
        ),
        sa.Column(
            "error",
            sa.String(80),
            nullable=False,
            server_default="",
            comment="Why the last try failed",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.ForeignKeyConstraint(
            ["proof_id"], ["one_time.id"], name="fk_outbox_proof_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        comment="Mails that wait to be sent; a sent one is deleted",
    )
