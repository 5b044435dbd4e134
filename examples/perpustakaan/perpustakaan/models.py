"""The tables. Times are UTC, without a zone."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from perpustakaan.database import Base, utc_now

_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}

TITLE_LENGTH = 200
SHELF_LENGTH = 40
WORD_LENGTH = 64


def _exact(length: int) -> Any:
    """Text that is compared letter by letter on every database."""
    return String(length).with_variant(String(length, collation="utf8mb4_bin"), "mysql")


def _name(length: int) -> Any:
    """Text that is compared without regard to case, which is ASCII."""
    return (
        String(length)
        .with_variant(String(length, collation="NOCASE"), "sqlite")
        .with_variant(String(length, collation="utf8mb4_general_ci"), "mysql")
    )


class Reader(Base):
    """A person whom this service has seen, known by the `sub` of the access tokens."""

    __tablename__ = "reader"
    __table_args__ = (UniqueConstraint("sub"), UniqueConstraint("username"), _MYSQL)

    id: Mapped[int] = mapped_column(primary_key=True)
    sub: Mapped[str] = mapped_column(_exact(64))
    # NULL where another person has the name by now; it is asked for again at the next visit.
    username: Mapped[str | None] = mapped_column(_name(80))
    is_librarian: Mapped[bool] = mapped_column(default=False, server_default=text("0"))
    first_seen_at: Mapped[datetime] = mapped_column(default=utc_now)


class Book(Base):
    """A title, with its copies: `lent` of `copies` are with readers, the others on the shelf."""

    __tablename__ = "book"
    __table_args__ = (
        UniqueConstraint("isbn13"),
        CheckConstraint("lent >= 0 AND lent <= copies", name="lent"),
        Index("ix_book_title", "title_key", "id"),
        Index("ix_book_author", "author_key", "id"),
        Index("ix_book_year", "year_key", "id"),
        _MYSQL | {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    author: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    isbn13: Mapped[str | None] = mapped_column(_exact(13))
    year: Mapped[int | None]
    copies: Mapped[int]
    lent: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    shelf: Mapped[str] = mapped_column(String(SHELF_LENGTH), default="", server_default=text("''"))
    added_at: Mapped[datetime] = mapped_column(default=utc_now)
    # Set where loans refer to a book that has left the catalogue.
    removed_at: Mapped[datetime | None]
    # What to sort by: folded as the search words are; the year, or 9999 where it is unknown.
    title_key: Mapped[str] = mapped_column(_exact(TITLE_LENGTH))
    author_key: Mapped[str] = mapped_column(_exact(TITLE_LENGTH))
    year_key: Mapped[int]

    @property
    def on_shelf(self) -> int:
        """The copies that can be lent now."""
        return self.copies - self.lent


class BookWord(Base):
    """A word of a book's title or author, folded: lower case, no accents."""

    __tablename__ = "book_word"
    __table_args__ = (Index(None, "book_id"), _MYSQL)

    word: Mapped[str] = mapped_column(_exact(WORD_LENGTH), primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"), primary_key=True)


class Loan(Base):
    """A copy with a reader, or returned."""

    __tablename__ = "loan"
    __table_args__ = (
        # NULL is equal to nothing, so that this holds for open loans alone.
        UniqueConstraint("book_id", "reader_id", "is_open"),
        Index(None, "reader_id", "id"),
        Index(None, "is_open", "due_on"),
        _MYSQL,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("reader.id"))
    borrowed_at: Mapped[datetime]
    due_on: Mapped[date]
    returned_at: Mapped[datetime | None]
    is_open: Mapped[bool | None] = mapped_column(default=True)  # NULL once returned
    renewals: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    fine: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # rupiah, at return

    book: Mapped[Book] = relationship(lazy="joined", innerjoin=True)
    reader: Mapped[Reader] = relationship(lazy="joined", innerjoin=True)


class Wait(Base):
    """A reader on the waiting list of a book; the lowest number is next."""

    __tablename__ = "wait"
    __table_args__ = (UniqueConstraint("book_id", "reader_id"), Index(None, "reader_id"), _MYSQL)

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("reader.id"))
    since: Mapped[datetime] = mapped_column(default=utc_now)

    book: Mapped[Book] = relationship(lazy="joined", innerjoin=True)
    reader: Mapped[Reader] = relationship(lazy="joined", innerjoin=True)
