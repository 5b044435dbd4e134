"""Every text of the service is in Indonesian too, and what gettext reads is up to date."""

from __future__ import annotations

import io
import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

HERE = Path(__file__).parent.parent
CATALOGUE = HERE / "perpustakaan" / "translations" / "id" / "LC_MESSAGES" / "messages.po"
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None, "_l": None, "_mark": None, "gettext": None, "ngettext": (1, 2),
}  # fmt: skip
PLACE = re.compile(r"%\(\w+\)s")


def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="id")


def texts() -> set[object]:
    with (HERE / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = extract_from_dir(HERE, method_map=methods, options_map=options, keywords=KEYWORDS)
    return {message for _, _, message, _, _ in found}


def strings(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]


def test_every_text_has_a_translation_and_no_other() -> None:
    translated = {
        message.id if isinstance(message.id, str) else tuple(message.id)
        for message in catalogue()
        if message.id and all(strings(message.string))
    }
    assert texts() == translated


def test_a_translation_has_the_places_of_its_text() -> None:
    for message in catalogue():
        if message.id:
            (last, *_), said = strings(message.id)[::-1], strings(message.string)
            assert set(PLACE.findall(last)) == set(PLACE.findall(said[0])), last


def test_the_compiled_catalogue_is_up_to_date() -> None:
    file = io.BytesIO()
    write_mo(file, catalogue())
    assert CATALOGUE.with_suffix(".mo").read_bytes() == file.getvalue()
