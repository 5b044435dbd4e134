"""The tables of the library."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "reader",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sub", _exact(64), nullable=False),
        sa.Column("username", _name(80), nullable=True),
        sa.Column("is_librarian", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reader"),
        sa.UniqueConstraint("sub", name="uq_reader_sub"),
        sa.UniqueConstraint("username", name="uq_reader_username"),
        **_OPTIONS,
    )
    op.create_table(
        "book",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("isbn13", _exact(13), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("lent", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("shelf", sa.String(40), server_default=sa.text("''"), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("removed_at", sa.DateTime(), nullable=True),
        sa.Column("title_key", _exact(200), nullable=False),
        sa.Column("author_key", _exact(200), nullable=False),
        sa.Column("year_key", sa.Integer(), nullable=False),
        sa.CheckConstraint("lent >= 0 AND lent <= copies", name=op.f("ck_book_lent")),
        sa.PrimaryKeyConstraint("id", name="pk_book"),
        sa.UniqueConstraint("isbn13", name="uq_book_isbn13"),
        sqlite_autoincrement=True,
        **_OPTIONS,
    )
    op.create_index("ix_book_title", "book", ["title_key", "id"])
    op.create_index("ix_book_author", "book", ["author_key", "id"])
    op.create_index("ix_book_year", "book", ["year_key", "id"])
    op.create_table(
        "book_word",
        sa.Column("word", _exact(64), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name="fk_book_word_book_id"),
        sa.PrimaryKeyConstraint("word", "book_id", name="pk_book_word"),
        **_OPTIONS,
    )
    op.create_index("ix_book_word_book_id", "book_word", ["book_id"])
    op.create_table(
        "loan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("reader_id", sa.Integer(), nullable=False),
        sa.Column("borrowed_at", sa.DateTime(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("returned_at", sa.DateTime(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=True),
        sa.Column("renewals", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fine", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name="fk_loan_book_id"),
        sa.ForeignKeyConstraint(["reader_id"], ["reader.id"], name="fk_loan_reader_id"),
        sa.PrimaryKeyConstraint("id", name="pk_loan"),
        sa.UniqueConstraint(
            "book_id", "reader_id", "is_open", name="uq_loan_book_id_reader_id_is_open"
        ),
        **_OPTIONS,
    )
    op.create_index("ix_loan_reader_id_id", "loan", ["reader_id", "id"])
    op.create_index("ix_loan_is_open_due_on", "loan", ["is_open", "due_on"])
    op.create_table(
        "wait",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("reader_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name="fk_wait_book_id"),
        sa.ForeignKeyConstraint(["reader_id"], ["reader.id"], name="fk_wait_reader_id"),
        sa.PrimaryKeyConstraint("id", name="pk_wait"),
        sa.UniqueConstraint("book_id", "reader_id", name="uq_wait_book_id_reader_id"),
        **_OPTIONS,
    )
    op.create_index("ix_wait_reader_id", "wait", ["reader_id"])


def downgrade() -> None:
    for table in ("wait", "loan", "book_word", "book", "reader"):
        op.drop_table(table)


def _exact(length: int) -> sa.types.TypeEngine[str]:
    """Text that is compared letter by letter."""
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql")


def _name(length: int) -> sa.types.TypeEngine[str]:
    """ASCII that is compared without regard to case."""
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="NOCASE"), "sqlite")
        .with_variant(sa.String(length, collation="utf8mb4_general_ci"), "mysql")
    )
