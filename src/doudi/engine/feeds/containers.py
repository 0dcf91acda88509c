"""Opening a department's file safely: workbook, comma-separated text, or Parquet.

In comes a path or the bytes of a file nobody has looked at yet; out come its tables as blocks of raw columns. A
broken, locked or hostile file is a :class:`FileUnreadable` in plain words, never a traceback and never a full memory.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from doudi.engine.feeds.errors import FileUnreadable
from doudi.engine.feeds.tables import (
    BLOCK_ROWS,
    PIECE,
    Block,
    Cell,
    Source,
    Table,
    broken,
    locked,
    open_source,
    source_name,
)
from doudi.engine.feeds.texts import open_text
from doudi.engine.feeds.workbooks import inspect_package, open_old_workbook, open_workbook

_MAX_BYTES = 2 << 30


@dataclass(frozen=True)
class OpenFile:
    """A file that could be opened: ``form`` is ``workbook``, ``text`` or ``parquet``."""

    form: str
    tables: tuple[Table, ...]


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
        inspect_package(source, name)
        return OpenFile("workbook", open_workbook(source, name))
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        if _holds(source, "EncryptedPackage".encode("utf-16-le")):
            raise locked(name)
        return OpenFile("workbook", open_old_workbook(source, name))
    if head.startswith(b"PAR1"):
        return OpenFile("parquet", (_open_parquet(source, name),))
    _refuse_other_forms(head, name)
    return OpenFile("text", (open_text(source, name, head),))


def _holds(source: Source, words: bytes) -> bool:
    tail = b""
    with open_source(source) as stream:
        while piece := stream.read(PIECE):
            if words in tail + piece:
                return True
            tail = piece[-len(words) :]
    return False


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


def _open_parquet(source: Source, name: str) -> Table:
    try:
        file = pq.ParquetFile(source if isinstance(source, Path) else pa.BufferReader(source))
        headers: list[Cell] = list(file.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError) as problem:
        raise broken(name) from problem

    def blocks(below: int, width: int, fill: frozenset[int]) -> Iterator[Block]:
        first_row = below + 1
        try:
            for batch in file.iter_batches(batch_size=BLOCK_ROWS):
                columns = [_parquet_cells(batch.column(place)) for place in range(width)]
                yield Block(first_row, columns)
                first_row += batch.num_rows
        except (pa.ArrowException, OSError, ValueError) as problem:
            raise broken(name) from problem

    return Table(Path(name).stem or "Sheet1", [headers], 0, (), blocks)


def _parquet_cells(column: pa.Array) -> list[Cell]:
    """Parquet keeps all digits of a whole number, so these are text, not the floats of a workbook."""
    if pa.types.is_nested(column.type):
        raise pa.ArrowInvalid("nested column")
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    if pa.types.is_floating(column.type):
        return [None if cell != cell else cell for cell in column.to_pylist()]
    return list(column.to_pylist())
