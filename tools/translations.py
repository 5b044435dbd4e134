"""Bring the catalogues of app/translations in line with the messages of the code, and compile them.

`make translations` after a text has changed: what is new is then empty in `messages.po`, to be
translated by hand, and another run compiles it.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
CATALOGUES = ROOT / "app" / "translations"
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "_l": None,
    "_ln": (1, 2),
}


def main() -> None:
    """Update and compile every catalogue."""
    template = extracted()
    for path in sorted(CATALOGUES.glob("*/LC_MESSAGES/messages.po")):
        catalogue = read(path)
        catalogue.update(template, no_fuzzy_matching=True, update_header_comment=False)
        path.write_bytes(_written(catalogue))
        path.with_suffix(".mo").write_bytes(compiled(read(path)))
        print(f"{path.relative_to(ROOT)}: {len(missing(catalogue))} to translate")


def extracted() -> Catalog:
    """The messages that the code and the templates have."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    catalogue = Catalog(project="loguserapp", charset="utf-8")
    found = extract_from_dir(
        ROOT, method_map=methods, options_map=options, keywords=KEYWORDS, comment_tags=("i18n:",)
    )
    for name, _line, message, comments, context in found:
        if name.startswith("app/"):
            catalogue.add(message, None, [(name, 0)], auto_comments=comments, context=context)
    return catalogue


def read(path: Path) -> Catalog:
    """The catalogue of one language."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.parent.parent.name, domain="messages")
    # What would differ at each run, or says nothing.
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    catalogue.msgid_bugs_address, catalogue.last_translator = "", ""
    return catalogue


def compiled(catalogue: Catalog) -> bytes:
    """What gettext reads."""
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def missing(catalogue: Catalog) -> list[str]:
    """The messages that have no translation."""
    return [str(message.id) for message in catalogue if message.id and not _translated(message)]


def _translated(message: Message) -> bool:
    forms = [message.string] if isinstance(message.string, str) else message.string or [""]
    return all(forms)


def _written(catalogue: Catalog) -> bytes:
    """The catalogue as text, without what would differ at each run."""
    file = io.BytesIO()
    write_po(
        file,
        catalogue,
        width=100,
        no_location=True,
        omit_header=False,
        sort_output=True,
        ignore_obsolete=True,
    )
    lines = file.getvalue().decode().splitlines(keepends=True)
    unstable = (
        '"POT-Creation-Date', '"PO-Revision-Date', '"Generated-By', '"Report-Msgid-Bugs-To',
        '"Last-Translator',
    )  # fmt: skip
    return "".join(line for line in lines if not line.startswith(unstable)).encode()


if __name__ == "__main__":
    main()
