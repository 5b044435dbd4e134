"""The password policy: length, bytes, and how soon a guesser finds it."""

from __future__ import annotations

from app.text import _l, nfc

MIN_CHARACTERS = 8
# bcrypt ignores further bytes silently, so longer passwords are refused (ASVS 5.0, 6.2.8).
MAX_BYTES = 72
TOO_LONG = _l(
    "That is too long. Use at most %(count)s characters (fewer with accents or emoji).",
    count=MAX_BYTES,
)


def weakness(password: str, *, own_words: list[str]) -> str | None:
    """Return what a person must change in a password, or None if the policy accepts it.

    Args:
        password: as typed.
        own_words: the person's username and e-mail, which a guesser tries first.

    """
    password = nfc(password)
    if len(password) < MIN_CHARACTERS:
        return _l("Use at least %(count)s characters.", count=MIN_CHARACTERS)
    if len(password.encode()) > MAX_BYTES:
        return TOO_LONG
    # Imported on first use: its word lists take memory only where people register.
    from app.passwords.strength import is_guessed_soon

    if is_guessed_soon(password, own_words):
        return _l("That password is too easy to guess. Try three or four unrelated words.")
    return None
