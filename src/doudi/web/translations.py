"""The English words of the workbench (locale/en): compile them with ``python -m doudi.web.translations``.

The sources are written in Chinese; the compiled catalogue is made at set-up and never committed. With ``--missing``
the words without English are listed and nothing is compiled.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

_HERE = Path(__file__).parent
CATALOGUE = _HERE / "locale" / "en" / "LC_MESSAGES" / "django.po"
_KEYWORDS = {
    "_": None,
    "n": None,
    "gettext": None,
    "gettext_noop": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
}


def read_catalogue() -> Catalog:
    """The English catalogue as it is written."""
    with CATALOGUE.open("rb") as lines:
        return read_po(lines, locale="en")


def compile_catalogue() -> Path:
    """Write django.mo beside django.po, unless it is newer already."""
    compiled = CATALOGUE.with_suffix(".mo")
    if not compiled.exists() or compiled.stat().st_mtime < CATALOGUE.stat().st_mtime:
        # a name of its own: two test processes compile at the same moment
        aside = compiled.with_suffix(f".{os.getpid()}.part")
        with aside.open("wb") as out:
            write_mo(out, read_catalogue())
        aside.replace(compiled)
    return compiled


def written() -> Iterator[tuple[str, str]]:
    """Every marked word of views and templates with the file it stands in."""
    for path in sorted(_HERE.rglob("*.py")):
        yield from _words_of(path, path.read_text(encoding="utf-8"))
    for path in sorted((_HERE / "templates").rglob("*.html")):
        yield from _words_of(path, templatize(path.read_text(encoding="utf-8")))


def _words_of(path: Path, source: str) -> Iterator[tuple[str, str]]:
    where = str(path.relative_to(_HERE))
    for _line, message, _comments, _context in extract(
        "python", io.BytesIO(source.encode()), keywords=_KEYWORDS
    ):
        for word in message if isinstance(message, tuple) else (message,):
            if word:
                yield where, word


def missing() -> list[tuple[str, str]]:
    """Words that have no English yet, once each."""
    said = {
        word
        for message in read_catalogue()
        if message.id and all(message.string if isinstance(message.string, tuple) else (message.string,))
        for word in (message.id if isinstance(message.id, tuple) else (message.id,))
    }
    return list({word: (where, word) for where, word in written() if word not in said}.values())


if __name__ == "__main__":
    if "--missing" in sys.argv:
        gaps = missing()
        for where, word in gaps:
            print(f"{where}: {word}")
        sys.exit(bool(gaps))
    print(compile_catalogue())
