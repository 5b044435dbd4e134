"""Readers: people by the `sub` of their tokens, and which of them are librarians."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from perpustakaan import loguserapp, loguserapp_client
from perpustakaan.database import db, lost_race, transaction
from perpustakaan.models import Reader
from perpustakaan.problems import Unavailable

# How often a name is kept, where others are kept at the same moment: one of them gets through.
_TRIES = 10


def recognize(sub: str, token: str, *, ask: bool = False) -> Reader:
    """The reader of a good access token.

    At first sight loguserapp is asked for the username, since tokens carry none.

    Args:
        sub: of the token's claims.
        token: the access token itself.
        ask: ask for the username though it is known, as after a log-in: it may have changed.

    Raises:
        Refused: loguserapp refuses the token.
        Unavailable: loguserapp does not answer.

    """
    reader = db.session.scalars(select(Reader).where(Reader.sub == sub)).one_or_none()
    if reader and reader.username and not ask:
        return reader
    db.session.close()  # no connection is held while another service is asked
    return _remember(sub, _ask_username(sub, token))


def find(username: str) -> Reader | None:
    """The reader of a username, without regard to case."""
    if not username.isascii():
        return None
    wanted = select(Reader).where(Reader.username == username.strip())
    return db.session.scalars(wanted).one_or_none()


def set_librarian(username: str, *, is_librarian: bool) -> bool:
    """Make a reader a librarian, or a librarian a reader.

    Returns:
        False where no reader has the username.

    """
    with transaction():
        reader = find(username)
        if reader:
            reader.is_librarian = is_librarian
    return reader is not None


def _ask_username(sub: str, token: str) -> str:
    status, document = loguserapp_client.call("GET", "/api/auth/me/", token)
    if status == 401:
        code = document.get("code")
        is_known = isinstance(code, str) and code in loguserapp.DETAILS
        raise loguserapp.Refused(str(code) if is_known else "token_invalid")
    username: Any = document.get("username")
    if status != 200 or str(document.get("id")) != sub:
        raise Unavailable
    if not isinstance(username, str) or not 0 < len(username) <= 80 or not username.isascii():
        raise Unavailable
    return username


def _remember(sub: str, username: str) -> Reader:
    """Keep a username; a reader who had it before has none until the next visit."""
    for attempt in range(_TRIES):
        try:
            with transaction():
                others = update(Reader).where(Reader.username == username, Reader.sub != sub)
                db.session.execute(others.values(username=None))
                reader = db.session.scalars(select(Reader).where(Reader.sub == sub)).one_or_none()
                if reader is None:
                    reader = Reader(sub=sub)
                    db.session.add(reader)
                reader.username = username
        except DBAPIError as error:
            if attempt == _TRIES - 1 or not lost_race(error):
                raise
        else:
            return reader
    raise AssertionError
