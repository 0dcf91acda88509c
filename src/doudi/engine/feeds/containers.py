"""Opening a department's file safely: workbook, comma-separated text, or Parquet.

In comes a path or the bytes of a file nobody has looked at yet; out come its tables as blocks of raw columns. A
broken, locked or hostile file is a :class:`FileUnreadable` in plain words, never a traceback and never a full memory.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, load_workbook

from doudi.engine.feeds.errors import FileUnreadable

Source = Path | bytes
Cell = str | float | int | bool | date | datetime | time | timedelta | Decimal | None
Merge = tuple[tuple[int, int], tuple[int, int]]

BLOCK_ROWS = 100_000
TOP_ROWS = 40
"""How many rows from the top a header row is looked for in."""

_MAX_BYTES = 2 << 30
_MAX_UNPACKED = 1 << 30
_MAX_ENTRIES = 10_000
_MAX_CELLS = 30_000_000
_NARROW = 26  # columns A–Z at the full height of a sheet stay under _MAX_CELLS
_PIECE = 1 << 20
_MAX_HEADERS = 256


@dataclass(frozen=True)
class Block:
    """Some rows as columns of raw cells; ``first_row`` is the row number a clerk sees for the first one.

    ``overlong`` are the places (within the block) of rows with more cells than the header row.
    """

    first_row: int
    columns: Sequence[Sequence[Cell]]
    overlong: frozenset[int] = frozenset()

    @property
    def height(self) -> int:
        return len(self.columns[0]) if self.columns else 0


@dataclass(frozen=True)
class Table:
    """One sheet, text or Parquet table: its first rows, and all rows below a given one when asked.

    ``first_column`` is the sheet's column (0 = A) of the first cell of each row.
    """

    sheet: str
    top: list[list[Cell]]
    first_column: int
    merges: tuple[Merge, ...]
    _blocks: Callable[[int, int, frozenset[int]], Iterator[Block]]

    def blocks(self, *, below: int, width: int, fill: frozenset[int] = frozenset()) -> Iterator[Block]:
        """The rows after the first ``below`` rows, ``width`` columns wide.

        In the columns of ``fill`` a cell merged downwards gives its value to every row it spans.
        """
        return self._blocks(below, width, fill)


@dataclass(frozen=True)
class OpenFile:
    """A file that could be opened: ``form`` is ``workbook``, ``text`` or ``parquet``."""

    form: str
    tables: tuple[Table, ...]


def source_name(source: Source) -> str:
    """What messages call the file."""
    return source.name if isinstance(source, Path) else "文件"


def content_hash(source: Source) -> str:
    """SHA-256 of the file's bytes, hex."""
    digest = hashlib.sha256()
    with open_source(source) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def open_source(source: Source) -> BinaryIO:
    """The bytes of a source as a stream."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as problem:
        raise FileUnreadable(
            f"打不开文件 {source.name}：{problem.strerror}。",
            f"Cannot open {source.name}: {problem.strerror}.",
            retry=True,
        ) from problem


def open_file(source: Source) -> OpenFile:
    """The tables of a file; its form is told by its content, never by its name."""
    name = source_name(source)
    with open_source(source) as stream:
        head = stream.read(1 << 16)
        stream.seek(0, io.SEEK_END)
        size = stream.tell()
    if size == 0:
        raise FileUnreadable(
            f"{name} 是空文件（0 字节），请重新导出。", f"{name} is empty (0 bytes): export it again."
        )
    if size > _MAX_BYTES:
        raise FileUnreadable(f"{name} 超过 2 GB，请分成几个文件。", f"{name} is larger than 2 GB: split it.")
    if head.startswith(b"PK"):
        _inspect_package(source, name)
        return _open_workbook(source, name)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _open_workbook(source, name)
    if head.startswith(b"PAR1"):
        return _open_parquet(source, name)
    _refuse_other_forms(head, name)
    return _open_text(source, name, head)


def _refuse_other_forms(head: bytes, name: str) -> None:
    start = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta")):
        raise FileUnreadable(
            f"{name} 是网页（HTML/XML）改了扩展名。请用 Excel 打开，另存为“Excel 工作簿 .xlsx”。",
            f"{name} is a web page under another name: open it in Excel and save it as .xlsx.",
        )
    if start.startswith((b"%pdf", b"\x89png", b"\xff\xd8", b"rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        raise FileUnreadable(
            f"{name} 不是表格（像是 PDF、图片或压缩包）。请发送 xlsx、xls、csv 或 parquet。",
            f"{name} is no table (a PDF, picture or archive): send xlsx, xls, csv or parquet.",
        )
    if b"\0" in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileUnreadable(
            f"{name} 不是工作簿，也不是文本。请发送 xlsx、xls、csv 或 parquet。",
            f"{name} is neither a workbook nor text: send xlsx, xls, csv or parquet.",
        )


# ---- workbooks -----------------------------------------------------------------------------------------------


def _inspect_package(source: Source, name: str) -> None:
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
                raise _too_large(name)
            left = _MAX_UNPACKED
            for entry in entries:
                if entry.flag_bits & 1:
                    raise _locked(name)
                sheet = entry.filename.lower().startswith("xl/worksheets/")
                left = _inspect_entry(stream, package, entry, left, name, sheet=sheet)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError) as problem:
        raise _broken(name) from problem


def _inspect_entry(
    stream: Any, package: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int, name: str, *, sheet: bool
) -> int:
    wide = False
    tail = b""
    for piece in _unpacked(stream, entry):
        left -= len(piece)
        if left < 0:
            raise _too_large(name)
        if sheet and not wide:
            wide = _WIDE_CELL.search(tail + piece) is not None
            tail = piece[-16:]
    if wide:
        _refuse_wide_sheet(_unpacked(stream, entry), name)
    return left


_WIDE_CELL = re.compile(rb"""\br=["'][A-Za-z]{2,3}[0-9]""")
_ANY_CELL = re.compile(rb"""\br=["']([A-Za-z]{1,3})([0-9]{1,7})["']""")


def _refuse_wide_sheet(pieces: Iterator[bytes], name: str) -> None:
    columns: set[bytes] = set()
    last_row = 1
    tail = b""
    for piece in pieces:
        for letters, row in _ANY_CELL.findall(tail + piece):
            columns.add(letters)
            last_row = max(last_row, int(row))
        tail = piece[-16:]
    last_column = max(_column_number(letters) for letters in columns) if columns else _NARROW
    if last_column * last_row > _MAX_CELLS:
        raise _too_large(name)


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
        packed = stream.read(min(_PIECE, unread))
        if not packed:
            raise zipfile.BadZipFile("cut short")
        unread -= len(packed)
        if inflate is None:
            yield packed
            continue
        while packed:
            yield inflate.decompress(packed, _PIECE)
            packed = inflate.unconsumed_tail


def _open_workbook(source: Source, name: str) -> OpenFile:
    with _calamine(name):
        book = load_workbook(source if isinstance(source, Path) else io.BytesIO(source))
    tables = []
    for place, sheet_name in enumerate(book.sheet_names):
        sheet = _sheet(book, place, name)
        if sheet is not None:
            tables.append(_sheet_table(sheet_name, sheet, name))
    if not tables:
        raise FileUnreadable(f"{name} 里没有内容。", f"{name} holds nothing.")
    return OpenFile("workbook", tuple(tables))


def _sheet(book: CalamineWorkbook, place: int, name: str) -> CalamineSheet | None:
    with _calamine(name):
        if "WorkSheet" not in str(book.sheets_metadata[place].typ):
            return None
        sheet = book.get_sheet_by_index(place)
        if sheet.end is None or sheet.start is None:
            return None
        if (sheet.end[0] + 1) * (sheet.end[1] - sheet.start[1] + 1) > _MAX_CELLS:
            raise _too_large(name)
        return sheet


class _calamine:  # noqa: N801 — reads as a clause: with _calamine(name)
    """Turns whatever the workbook reader raises into a refusal; its panics are no ``Exception``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, problem: BaseException | None, trace: Any) -> None:
        if isinstance(problem, PasswordError):
            raise _locked(self.name) from problem
        if isinstance(problem, CalamineError | OSError | ValueError | MemoryError) or (
            kind is not None and kind.__name__ == "PanicException"
        ):
            if "password" in str(problem).lower() or "encrypted" in str(problem).lower():
                raise _locked(self.name) from problem
            raise _broken(self.name) from problem


def _sheet_table(sheet_name: str, sheet: CalamineSheet, name: str) -> Table:
    left = sheet.start[1] if sheet.start else 0
    found = getattr(sheet, "merged_cell_ranges", None) or ()
    merges = tuple(((a[0], a[1] - left), (b[0], b[1] - left)) for a, b in found)
    starts = {(row, column): last for (row, column), (last, _) in merges if last > row}

    def rows(fill: frozenset[int]) -> Iterator[list[Cell]]:
        standing: dict[int, tuple[int, Cell]] = {}  # column: (last row it spans, value)
        with _calamine(name):
            for number, row in enumerate(sheet.iter_rows()):
                for column in fill if starts else ():
                    if column >= len(row):
                        continue
                    if (number, column) in starts:
                        standing[column] = (starts[number, column], row[column])
                    elif row[column] == "" and column in standing and number <= standing[column][0]:
                        row[column] = standing[column][1]
                yield row

    def blocks(below: int, width: int, fill: frozenset[int]) -> Iterator[Block]:
        return _blocks_of_rows(islice(rows(fill), below, None), below + 1, width)

    every_column = frozenset(range(_MAX_HEADERS))
    return Table(sheet_name, list(islice(rows(every_column), TOP_ROWS)), left, merges, blocks)


def _blocks_of_rows(rows: Iterator[Sequence[Cell]], first_row: int, width: int) -> Iterator[Block]:
    while batch := list(islice(rows, BLOCK_ROWS)):
        overlong: set[int] = set()
        lengths = set(map(len, batch))
        if lengths != {width}:
            for place, row in enumerate(batch):
                if len(row) > width:
                    if any(cell is not None and str(cell).strip() for cell in row[width:]):
                        overlong.add(place)
                    batch[place] = row[:width]
                elif len(row) < width:
                    batch[place] = [*row, *[""] * (width - len(row))]
        yield Block(first_row, list(zip(*batch, strict=True)), frozenset(overlong))
        first_row += len(batch)


def _broken(name: str) -> FileUnreadable:
    return FileUnreadable(
        f"{name} 打不开：文件损坏、没有传完，或者不是表格。请用 Excel 打开后另存为 .xlsx 再发。",
        f"{name} cannot be opened: damaged, cut short, or no workbook. Open it in Excel and save it as .xlsx again.",
    )


def _locked(name: str) -> FileUnreadable:
    return FileUnreadable(
        f"{name} 加了密码。请去掉密码后另存再发。",
        f"{name} is protected by a password: save it without one.",
        code="file_encrypted",
    )


def _too_large(name: str) -> FileUnreadable:
    return FileUnreadable(
        f"{name} 解开后太大（超过 1 GB 或 3000 万格），不像一张部门表。请删去表外的内容，或分成几个文件。",
        f"{name} unpacks to more than 1 GB or 30 million cells: remove what lies outside the table, or split it.",
        code="file_too_large",
    )


# ---- text ----------------------------------------------------------------------------------------------------


def _open_text(source: Source, name: str, head: bytes) -> OpenFile:
    encoding = _encoding_of(source, name, head)

    def records(delimiter: str) -> Iterator[list[str]]:
        with open_source(source) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
            try:
                yield from csv.reader(text, delimiter=delimiter)
            except UnicodeDecodeError as problem:
                raise _undecodable(name) from problem
            except csv.Error as problem:
                raise FileUnreadable(
                    f"{name} 有一格没有结尾的引号或过长，读不下去（{problem}）。请用 Excel 另存为 .xlsx 再发。",
                    f"{name} has an unclosed quote or an overlong cell ({problem}): save it as .xlsx.",
                ) from problem

    sample = list(islice(records(","), TOP_ROWS))
    lines = [",".join(record) for record in sample]
    delimiter = max(",\t;", key=lambda sign: sum(line.count(sign) for line in lines))
    top: list[list[Cell]] = [list(record) for record in islice(records(delimiter), TOP_ROWS)]
    if not any(str(cell).strip() for row in top for cell in row):
        raise FileUnreadable(f"{name} 里没有内容。", f"{name} holds nothing.")

    def blocks(below: int, width: int, fill: frozenset[int]) -> Iterator[Block]:
        return _blocks_of_rows(islice(records(delimiter), below, None), below + 1, width)

    return OpenFile("text", (Table(Path(name).stem or "Sheet1", top, 0, (), blocks),))


_MANY_LETTERS = 16


def _encoding_of(source: Source, name: str, head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    letters = 0
    try:
        with open_source(source) as stream:
            while piece := stream.read(_PIECE):
                text = decoder.decode(piece)
                letters += 0 if text.isascii() else _MANY_LETTERS
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as problem:
        # a pair or two of GBK bytes can pass for UTF-8 by chance, many letters cannot
        good = problem.object[: problem.start].decode("utf-8", "ignore")
        letters += sum(not sign.isascii() for sign in good)
        if letters >= _MANY_LETTERS:
            raise _undecodable(name) from problem
        return "gb18030"
    return "utf-8-sig"


def _undecodable(name: str) -> FileUnreadable:
    return FileUnreadable(
        f"{name} 的文字编码既不是 UTF-8 也不是 GB18030，或者文件没有传完。请用 Excel 另存为 .xlsx 再发。",
        f"{name} is neither valid UTF-8 nor GB18030, or is cut short: save it as .xlsx.",
    )


# ---- Parquet -------------------------------------------------------------------------------------------------


def _open_parquet(source: Source, name: str) -> OpenFile:
    try:
        file = pq.ParquetFile(source if isinstance(source, Path) else pa.BufferReader(source))
        headers: list[Cell] = list(file.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError) as problem:
        raise _broken(name) from problem

    def blocks(below: int, width: int, fill: frozenset[int]) -> Iterator[Block]:
        first_row = below + 1
        try:
            for batch in file.iter_batches(batch_size=BLOCK_ROWS):
                columns = [_parquet_cells(batch.column(place)) for place in range(width)]
                yield Block(first_row, columns)
                first_row += batch.num_rows
        except (pa.ArrowException, OSError, ValueError) as problem:
            raise _broken(name) from problem

    return OpenFile("parquet", (Table(Path(name).stem or "Sheet1", [headers], 0, (), blocks),))


def _parquet_cells(column: pa.Array) -> list[Cell]:
    """Parquet keeps all digits of a whole number, so these are text, not the floats of a workbook."""
    if pa.types.is_nested(column.type):
        raise pa.ArrowInvalid("nested column")
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        return [None if cell != cell else cell for cell in column.to_pylist()]
    return list(column.to_pylist())
