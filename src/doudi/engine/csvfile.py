"""Read one planning list from a CSV file or a workbook, so that every refusal names the file, the row and the column.

In comes a path; out come the columns as text, in the order of the file. UTF-8 (with or without BOM) and GB18030
are read, and the first filled sheet of an Excel workbook; nothing is guessed about the meaning of a cell.
"""

from __future__ import annotations

import codecs
import csv as plain_csv
import io
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from doudi.engine.errors import DoudiError
from doudi.engine.feeds.containers import open_file
from doudi.engine.feeds.tables import Cell

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How a file of Excel begins, new and old."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class TableError(DoudiError):
    """A list cannot be read: the message names file, row and column."""

    code = "bad_table"


class CsvFile:
    """One list with a header row, CSV or the first filled sheet of a workbook: columns of text by name.

    ``required`` columns must be in the header; any other column of the header may be asked for with
    :meth:`text` and gives ``""`` in each row where it is absent. Blank lines are passed over.
    """

    def __init__(self, path: Path, required: Iterable[str]) -> None:
        self.path = path
        self._raw = _utf8(path)
        self._columns = self._parse()
        self.rows = self._columns.num_rows
        missing = [name for name in required if name not in self._columns.column_names]
        if missing:
            found = ", ".join(self._columns.column_names)
            raise TableError(
                f"{path.name} 第1行缺少列 {'、'.join(missing)}；现有列：{found}。请按说明补上表头。",
                f"{path.name} row 1 lacks the column(s) {', '.join(missing)}; it has: {found}. Complete the header.",
            )

    def has(self, column: str) -> bool:
        """Whether the header names this column."""
        return column in self._columns.column_names

    def arrow(self, column: str) -> pa.ChunkedArray:
        """The column as Arrow text, untrimmed: for lists of millions of rows."""
        return self._columns[column]

    def text(self, column: str) -> list[str]:
        """The column as trimmed text, one entry per row; ``""`` where the cell or the column is absent."""
        if not self.has(column):
            return [""] * self.rows
        return [cell.strip() for cell in self._columns[column].to_pylist()]

    def identifiers(self, column: str = "id") -> list[str]:
        """The column as identifiers: none blank, none twice."""
        cells = self.text(column)
        first_seen: dict[str, int] = {}
        for index, cell in enumerate(cells):
            if not cell:
                raise self.refusal(index, column, "是空的", "is blank")
            if cell in first_seen:
                line = self.line(first_seen[cell])
                raise self.refusal(
                    index, column, f"“{cell}”与第{line}行重复", f"“{cell}” is already in row {line}"
                )
            first_seen[cell] = index
        return cells

    def numbers(
        self, column: str, *, blank: float | None = None, low: float = 0.0, high: float = 1e12
    ) -> list[float]:
        """The column as numbers between ``low`` and ``high``; a blank cell is ``blank``, or refused if that is None."""
        out: list[float] = []
        for index, cell in enumerate(self.text(column)):
            if not cell:
                if blank is None:
                    raise self.refusal(index, column, "是空的", "is blank")
                out.append(blank)
                continue
            try:
                value = float(cell)
            except ValueError:
                raise self.refusal(index, column, f"“{cell}”不是数字", f"“{cell}” is not a number") from None
            if not low <= value <= high:
                raise self.refusal(
                    index,
                    column,
                    f"{cell} 不在 {low:g} 到 {high:g} 之间",
                    f"{cell} is not within {low:g} to {high:g}",
                )
            out.append(value)
        return out

    def decimals(self, column: str) -> list[Decimal | None]:
        """The column as exact decimals ≥ 0, for money; None where the cell is blank."""
        out: list[Decimal | None] = []
        for index, cell in enumerate(self.text(column)):
            if not cell:
                out.append(None)
                continue
            try:
                value = Decimal(cell)
            except InvalidOperation:
                raise self.refusal(index, column, f"“{cell}”不是数字", f"“{cell}” is not a number") from None
            if not value.is_finite() or value < 0 or value > 10**15:
                raise self.refusal(
                    index,
                    column,
                    f"金额 {cell} 不在 0 到 10^15 之间",
                    f"the sum {cell} is not within 0 to 10^15",
                )
            out.append(value)
        return out

    def refusal(self, index: int, column: str, zh: str, en: str) -> TableError:
        """The error for the cell in data row ``index`` (0-based) of ``column``."""
        line = self.line(index)
        return TableError(
            f"{self.path.name} 第{line}行“{column}”列{zh}。请改正后再试。",
            f"{self.path.name} row {line}, column {column}: {en}. Correct it and try again.",
        )

    def line(self, index: int) -> int:
        """The line of the file on which data row ``index`` (0-based) stands; the header is line 1."""
        row = -2
        for number, line in enumerate(io.StringIO(self._raw.decode()), start=1):
            row += bool(line.strip("\r\n"))
            if row == index:
                return number
        return index + 2

    def _parse(self) -> pa.Table:
        header = next((line for line in io.BytesIO(self._raw) if line.strip()), None)
        if header is None:
            raise TableError(f"{self.path.name} 是空文件。", f"{self.path.name} is empty.")
        try:
            names = [name.strip() for name in next(plain_csv.reader([header.decode()]))]
        except plain_csv.Error as error:
            raise TableError(
                f"{self.path.name} 第1行不是可读的表头：{error}。",
                f"{self.path.name} row 1 is not a readable header: {error}.",
            ) from None
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise TableError(
                f"{self.path.name} 第1行列名重复：{'、'.join(doubled)}。",
                f"{self.path.name} row 1 names a column twice: {', '.join(doubled)}.",
            )
        try:
            return csv.read_csv(
                pa.BufferReader(self._raw),
                read_options=csv.ReadOptions(column_names=names, skip_rows_after_names=1, use_threads=False),
                parse_options=csv.ParseOptions(newlines_in_values=False),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            found = re.search(r"Expected (\d+) columns, got (\d+)", str(error))
            row = re.search(r"Row #(\d+)", str(error))
            if not found:
                raise TableError(
                    f"{self.path.name} 不是可读的 CSV：{error}",
                    f"{self.path.name} is not a readable CSV: {error}",
                ) from None
            where = f"第{row[1]}行" if row else "有一行"
            where_en = f"row {row[1]}" if row else "a row"
            raise TableError(
                f"{self.path.name} {where}有 {found[2]} 格，表头有 {found[1]} 列。请检查多余或缺少的逗号。",
                f"{self.path.name} {where_en} has {found[2]} cells, the header {found[1]}. Look for a comma too many or too few.",
            ) from None


def _utf8(path: Path) -> bytes:
    """The file's bytes in UTF-8 without byte-order mark, lines ended by one sign (old Macs write a carriage return)."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise TableError(
            f"读不到文件 {path}：{reason}。请检查路径。", f"Cannot read {path}: {reason}. Check the path."
        ) from None
    if raw.startswith(_WORKBOOKS):
        return _sheet(path)
    raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        raw.decode()
        return raw.removeprefix(codecs.BOM_UTF8)
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("gb18030").encode()
    except UnicodeDecodeError:
        raise TableError(
            f"{path.name} 的编码不是 UTF-8 或 GB18030。请另存为 CSV UTF-8。",
            f"{path.name} is neither UTF-8 nor GB18030. Save it as CSV UTF-8.",
        ) from None


def _sheet(path: Path) -> bytes:
    """The first filled sheet as CSV, a line per row so that row numbers stay those of the sheet."""
    sheet = open_file(path).tables[0]
    out = io.StringIO()
    write = plain_csv.writer(out, lineterminator="\n")
    width = max((len(row) for row in sheet.top), default=0)
    told = 0
    for block in sheet.blocks(below=0, width=width):
        if not told:
            out.write("\n" * (block.first_row - 1))
        for row in range(block.height):
            cells = [_plain(cell) for cell in block.row(row)]
            if any(cells):
                write.writerow(cells)
            else:
                out.write("\n")
        told += block.height
    return out.getvalue().encode()


def _plain(cell: Cell) -> str:
    """A cell as the clerk sees it: no line breaks, a whole number without its ``.0``."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else " ".join(str(cell).split())


def harmless(cell: str) -> str:
    """A cell of a CSV on its way out that no spreadsheet takes for a formula; a number keeps its minus sign."""
    if cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not _NUMBER.fullmatch(cell)):
        return f"'{cell}"
    return cell
