"""What an opened file is made of: tables, given out as blocks of raw columns.

Nothing here knows a file format or a feed; :mod:`containers` opens files, :mod:`reading` finds the header row.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from doudi.engine.feeds.errors import FileUnreadable

Source = Path | bytes
Cell = str | float | int | bool | date | datetime | time | timedelta | Decimal | None
Merge = tuple[tuple[int, int], tuple[int, int]]

BLOCK_ROWS = 100_000
TOP_ROWS = 40
"""How many rows from the top a header row is looked for in."""

PIECE = 1 << 20
"""How many bytes of a file are read at once."""


@dataclass(frozen=True)
class Block:
    """Some rows as columns of raw cells; ``first_row`` is the row number a clerk sees for the first one.

    ``overlong`` are the places (within the block) of rows with more cells than the header row, ``torn`` of one in which
    the file breaks off.
    """

    first_row: int
    columns: Sequence[Sequence[Cell] | pa.Array]
    overlong: frozenset[int] = frozenset()
    torn: frozenset[int] = frozenset()

    @property
    def height(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def row(self, place: int) -> list[Cell]:
        """The raw cells of one row, by its place within the block."""
        return [c[place].as_py() if isinstance(c, pa.Array) else c[place] for c in self.columns]


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
        while piece := stream.read(PIECE):
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


class TornRow(list[Cell]):
    """The last cells of a text that ends within a row."""


def blocks_of_rows(rows: Iterator[Sequence[Cell]], first_row: int, width: int) -> Iterator[Block]:
    """Rows of whatever length as blocks of ``width`` columns."""
    while batch := list(islice(rows, BLOCK_ROWS)):
        overlong: set[int] = set()
        torn = frozenset([len(batch) - 1] if isinstance(batch[-1], TornRow) else [])
        lengths = set(map(len, batch))
        if lengths != {width}:
            for place, row in enumerate(batch):
                if len(row) > width:
                    if any(cell is not None and str(cell).strip() for cell in row[width:]):
                        overlong.add(place)
                    batch[place] = row[:width]
                elif len(row) < width:
                    batch[place] = [*row, *[""] * (width - len(row))]
        yield Block(first_row, list(zip(*batch, strict=True)), frozenset(overlong), torn)
        first_row += len(batch)


def broken(name: str) -> FileUnreadable:
    """The refusal of a file that is damaged or no table."""
    return FileUnreadable(
        f"{name} 打不开：文件损坏、没有传完，或者不是表格。请用 Excel 打开后另存为 .xlsx 再发。",
        f"{name} cannot be opened: damaged, cut short, or no workbook. Open it in Excel and save it as .xlsx again.",
    )


def locked(name: str) -> FileUnreadable:
    """The refusal of a file behind a password."""
    return FileUnreadable(
        f"{name} 加了密码。请去掉密码后另存再发。",
        f"{name} is protected by a password: save it without one.",
        code="file_encrypted",
    )


def too_large(name: str) -> FileUnreadable:
    """The refusal of a file that unpacks beyond all measure."""
    return FileUnreadable(
        f"{name} 解开后太大（超过 1 GB 或 3000 万格），不像一张部门表。请删去表外的内容，或分成几个文件。",
        f"{name} unpacks to more than 1 GB or 30 million cells: remove what lies outside the table, or split it.",
        code="file_too_large",
    )


def undecodable(name: str) -> FileUnreadable:
    """The refusal of a text in no encoding that is known."""
    return FileUnreadable(
        f"{name} 的文字编码既不是 UTF-8 也不是 GB18030，或者文件没有传完。请用 Excel 另存为 .xlsx 再发。",
        f"{name} is neither valid UTF-8 nor GB18030, or is cut short: save it as .xlsx.",
    )


def nothing_inside(name: str) -> FileUnreadable:
    """The refusal of a file without a single filled cell."""
    return FileUnreadable(f"{name} 里没有内容。", f"{name} holds nothing.")
