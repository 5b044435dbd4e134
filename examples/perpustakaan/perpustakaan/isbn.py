"""ISBN: ten or thirteen digits, of which the last checks the others (ISO 2108)."""

from __future__ import annotations

import re

_TEN = re.compile(r"[0-9]{9}[0-9X]")
_THIRTEEN = re.compile(r"97[89][0-9]{10}")


def normalize(text: str) -> str | None:
    """The thirteen digits of an ISBN-10 or ISBN-13; hyphens and spaces do not count.

    Returns:
        None where the text is no ISBN.

    """
    bare = re.sub(r"[\s\-\u2010-\u2015]", "", text).upper()
    if _TEN.fullmatch(bare):
        digits = [10 if each == "X" else int(each) for each in bare]
        total = sum(weight * digit for weight, digit in zip(range(10, 0, -1), digits, strict=True))
        return _with_check("978" + bare[:9]) if total % 11 == 0 else None
    if _THIRTEEN.fullmatch(bare) and bare == _with_check(bare[:12]):
        return bare
    return None


def _with_check(twelve: str) -> str:
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return f"{twelve}{-total % 10}"
