"""Opening an Excel workbook (.xlsx, .xls) that nobody has looked at yet.

In comes a file; out come its filled sheets. A zip bomb, a sheet that claims a billion cells, a locked or damaged
workbook is refused before it can fill the memory.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, load_workbook

from doudi.engine.feeds import old_workbook
from doudi.engine.feeds.errors import FileUnreadable
from doudi.engine.feeds.tables import (
    PIECE,
    TOP_ROWS,
    Block,
    Cell,
    Source,
    Table,
    blocks_of_rows,
    broken,
    locked,
    nothing_inside,
    open_source,
    too_large,
)

_MAX_UNPACKED = 1 << 30
_MAX_ENTRIES = 10_000
_MAX_CELLS = 30_000_000
_NARROW = 26  # columns A–Z at the full height of a sheet stay under _MAX_CELLS
_MAX_HEADERS = 256
_OLD_WORKBOOK_SECONDS = 60

Rows = Callable[[], Iterator[list[Cell]]]
"""All rows of a sheet from its first one, each time anew."""


def inspect_package(source: Source, name: str) -> None:
    """Refuse a zip that is no workbook, that unpacks to too much, or whose sheets claim too many cells."""
    try:
        with open_source(source) as stream, zipfile.ZipFile(stream) as package:
            entries = package.infolist()
            names = {entry.filename for entry in entries}
            if "xl/workbook.xml" not in {entry.lower().lstrip("/") for entry in names}:
                raise FileUnreadable(
                    f"{name} 是压缩包，但不是 Excel 工作簿（.xlsx）。",
                    f"{name} is a zip file but no Excel workbook (.xlsx).",
                )
            if len(entries) > _MAX_ENTRIES or sum(entry.file_size for entry in entries) > _MAX_UNPACKED:
                raise too_large(name)
            left = _MAX_UNPACKED
            for entry in entries:
                if entry.flag_bits & 1:
                    raise locked(name)
                left = _inspect_entry(stream, entry, left, name)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError) as problem:
        raise broken(name) from problem


def _inspect_entry(stream: Any, entry: zipfile.ZipInfo, left: int, name: str) -> int:
    """How much may still be unpacked after this entry; whatever looks like a sheet is measured."""
    far = False
    tail = b""
    for piece in _unpacked(stream, entry):
        left -= len(piece)
        if left < 0:
            raise too_large(name)
        far = far or _FAR_CELL.search(tail + piece) is not None
        tail = piece[-24:]
    if far:
        _refuse_huge_sheet(_unpacked(stream, entry), name)
    return left


# beyond column Z or row 999,999
_FAR_CELL = re.compile(rb"""\sr\s*=\s*["'](?:[A-Za-z]{2}|[A-Za-z]?[0-9]{7})""")
_ANY_CELL = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")
_LAST_ROW = 1_048_576


def _refuse_huge_sheet(pieces: Iterator[bytes], name: str) -> None:
    columns: set[bytes] = set()
    last_row = 1
    tail = b""
    for piece in pieces:
        for letters, row in _ANY_CELL.findall(tail + piece):
            if len(row) > 7 or len(letters) > 3:
                raise too_large(name)
            columns.add(letters)
            last_row = max(last_row, int(row))
        tail = piece[-24:]
    last_column = max((_column_number(letters) for letters in columns), default=_NARROW)
    if last_row > _LAST_ROW or max(last_column, _NARROW) * last_row > _MAX_CELLS:
        raise too_large(name)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _unpacked(stream: Any, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """What an entry really unpacks to: the size written in the package is not believed."""
    stream.seek(entry.header_offset)
    header = stream.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("no local header")
    skip = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    stream.seek(entry.header_offset + 30 + skip)
    unread = entry.compress_size
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("unusual compression")
    inflate = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
    while unread > 0:
        packed = stream.read(min(PIECE, unread))
        if not packed:
            raise zipfile.BadZipFile("cut short")
        unread -= len(packed)
        if inflate is None:
            yield packed
            continue
        while packed:
            yield inflate.decompress(packed, PIECE)
            packed = inflate.unconsumed_tail


def open_workbook(source: Source, name: str) -> tuple[Table, ...]:
    """The sheets with content of an .xlsx, in the workbook's order."""
    with _calamine(name):
        book = load_workbook(source if isinstance(source, Path) else io.BytesIO(source))
    tables = []
    for place, sheet_name in enumerate(book.sheet_names):
        sheet = _sheet(book, place, name)
        if sheet is not None and sheet.start is not None:
            merges = getattr(sheet, "merged_cell_ranges", None) or ()
            tables.append(_sheet_table(sheet_name, sheet.start[1], merges, _rows_of(sheet, name)))
    if not tables:
        raise nothing_inside(name)
    return tuple(tables)


def _sheet(book: CalamineWorkbook, place: int, name: str) -> CalamineSheet | None:
    with _calamine(name):
        if "WorkSheet" not in str(book.sheets_metadata[place].typ):
            return None
        sheet = book.get_sheet_by_index(place)
        if sheet.end is None or sheet.start is None:
            return None
        if (sheet.end[0] + 1) * (sheet.end[1] - sheet.start[1] + 1) > _MAX_CELLS:
            raise too_large(name)
        return sheet


def _rows_of(sheet: CalamineSheet, name: str) -> Rows:
    def rows() -> Iterator[list[Cell]]:
        with _calamine(name):
            for row in sheet.iter_rows():
                yield [*row]

    return rows


class _calamine:
    """Turns whatever the workbook reader raises into a refusal; its panics are no ``Exception``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, problem: BaseException | None, trace: Any) -> None:
        if isinstance(problem, PasswordError):
            raise locked(self.name) from problem
        if isinstance(problem, CalamineError | OSError | ValueError | MemoryError) or (
            kind is not None and kind.__name__ == "PanicException"
        ):
            if "password" in str(problem).lower() or "encrypted" in str(problem).lower():
                raise locked(self.name) from problem
            raise broken(self.name) from problem


def open_old_workbook(source: Source, name: str) -> tuple[Table, ...]:
    """The sheets with content of an .xls, read by a process of its own (see :mod:`old_workbook`)."""
    with open_source(source) as stream:
        content = stream.read()
    try:
        answer = subprocess.run(
            [sys.executable, "-I", old_workbook.__file__],
            input=content,
            capture_output=True,
            timeout=_OLD_WORKBOOK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise too_large(name) from problem
    if answer.returncode == old_workbook.PASSWORD:
        raise locked(name)
    if answer.returncode == old_workbook.TOO_LARGE:
        raise too_large(name)
    if answer.returncode != 0:
        raise broken(name)
    tables = []
    for sheet in json.loads(answer.stdout, object_hook=_day):
        tables.append(_sheet_table(sheet["name"], sheet["left"], sheet["merges"], _again(sheet["rows"])))
    if not tables:
        raise nothing_inside(name)
    return tuple(tables)


def _again(rows: list[list[Cell]]) -> Rows:
    return lambda: ([*row] for row in rows)


def _day(found: dict[str, Any]) -> Any:
    if found.keys() == {"moment"}:
        return datetime.fromisoformat(found["moment"])
    return date.fromisoformat(found["day"]) if found.keys() == {"day"} else found


def _sheet_table(sheet_name: str, left: int, found: Iterable[Any], read_rows: Rows) -> Table:
    merges = tuple(((a[0], a[1] - left), (b[0], b[1] - left)) for a, b in found)
    starts = {(row, column): last for (row, column), (last, _) in merges if last > row}

    def rows(fill: frozenset[int]) -> Iterator[list[Cell]]:
        standing: dict[int, tuple[int, Cell]] = {}  # column: (last row it spans, value)
        for number, row in enumerate(read_rows()):
            for column in fill if starts else ():
                if column >= len(row):
                    continue
                if (number, column) in starts:
                    standing[column] = (starts[number, column], row[column])
                elif row[column] == "" and column in standing and number <= standing[column][0]:
                    row[column] = standing[column][1]
            yield row

    def blocks(below: int, width: int, fill: frozenset[int]) -> Iterator[Block]:
        return blocks_of_rows(islice(rows(fill), below, None), below + 1, width)

    every_column = frozenset(range(_MAX_HEADERS))
    return Table(sheet_name, list(islice(rows(every_column), TOP_ROWS)), left, merges, blocks)
