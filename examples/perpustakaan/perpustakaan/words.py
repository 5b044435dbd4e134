"""Words to search for and keys to sort by, the same on every database."""

from __future__ import annotations

import re
import unicodedata

from perpustakaan.models import TITLE_LENGTH, WORD_LENGTH

# Letters that have no accent to lose, but a common spelling in ASCII.
_SPELLED = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "\u0131": "i"}
)
# "Qur'an" is one word, however its apostrophe is typed.
_APOSTROPHES = str.maketrans("", "", "'`\u2018\u2019\u02bb\u02bc")


def fold(text: str) -> str:
    """Lower case without accents: "Élégie" and "elegie" are the same."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(each for each in parts if not unicodedata.combining(each))
    return bare.casefold().translate(_SPELLED)


def sort_key(text: str) -> str:
    """What to sort a title or an author by: folded, without punctuation."""
    return " ".join(_split(text))[:TITLE_LENGTH].rstrip()


def words_of(*texts: str) -> list[str]:
    """The different words of texts, folded, in the order of the texts."""
    found = (word[:WORD_LENGTH] for text in texts for word in _split(text))
    return list(dict.fromkeys(found))


def _split(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", fold(text).translate(_APOSTROPHES))
