"""Workbooks that go out to be filled in and come back (表格往来): read row by row, answered in the sender's own rows."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from doudi.engine.errors import DoudiError
from doudi.engine.feeds.containers import open_file

MOST_ROWS = 5_000
ANSWER = "受理结果"
_WRITTEN = datetime(2000, 1, 1)  # noqa: DTZ001 — what a workbook says of its making has no zone
_MARKS = {"good": "#C6EFCE", "wrong": "#FFC7CE", "same": "#EDEDED"}


class SheetRefused(DoudiError):
    """A workbook that is not the one that was sent out, or too long."""

    code = "sheet_refused"


@dataclass
class Row:
    """One row: its number as the clerk sees it, its cells by header, and what became of it.

    ``mark`` is ``good`` (taken), ``same`` (nothing to do) or ``wrong``; ``said`` tells the sender why.
    """

    number: int
    cells: dict[str, str]
    mark: str = ""
    said: str = ""


@dataclass
class Answered:
    """A workbook that came back: its header and rows with what became of each."""

    header: list[str]
    rows: list[Row] = field(default_factory=list)

    def count(self, mark: str) -> int:
        return sum(row.mark == mark for row in self.rows)

    def workbook(self) -> bytes:
        """The sender's own rows, each marked, with the answer in the last column."""
        header = [label for label in self.header if label != ANSWER]
        return written([*header, ANSWER], [[*(row.cells.get(h, "") for h in header), row.said] for row in self.rows],
                       marks=[row.mark for row in self.rows])  # fmt: skip


def text_of(cell: Any) -> str:
    """A cell as text; whole numbers without a decimal point, days as 2024-11-15."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d}"
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if cell is None else str(cell).replace("\x00", "").strip()


def read_rows(path: Path, needed: Sequence[str], *, most: int = MOST_ROWS) -> Answered:
    """The rows below the header row that holds all ``needed`` labels; empty rows are passed over."""
    for table in open_file(path).tables:
        for at, top in enumerate(table.top):
            header = [text_of(cell).replace(" ", "") for cell in top]
            if set(needed) <= set(header):
                return Answered([label for label in header if label], list(_rows(table, at, header, most)))
    raise SheetRefused(
        f"没有找到表头。请用本系统导出的表格填写，须有这些列：{'、'.join(needed)}。",
        f"No header row; fill in the exported workbook. It needs: {', '.join(needed)}.",
    )


def _rows(table: Any, at: int, header: list[str], most: int) -> Iterator[Row]:
    for block in table.blocks(below=at + 1, width=len(header)):
        if block.first_row + block.height > most + at:
            raise SheetRefused(f"超过 {most} 行，请分成几个文件。", f"More than {most} rows; split it.")
        for place in range(block.height):
            texts = [text_of(cell) for cell in block.row(place)]
            cells = {label: text for label, text in zip(header, texts, strict=False) if label}
            if any(cells.values()):
                yield Row(block.first_row + place, cells)


def written(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    marks: Sequence[str] = (),
    choices: dict[str, Sequence[str]] | None = None,
    remarks: Sequence[str] = (),
    sheet: str | None = None,
) -> bytes:
    """A workbook of text cells, so that numbers keep their zeros and nothing is taken for a formula."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    # the same rows give the same bytes, whenever they are written
    book.set_properties({"created": _WRITTEN})
    page = book.add_worksheet(sheet)
    plain = book.add_format({"num_format": "@"})
    bold = book.add_format({"bold": True, "bg_color": "#D9E1F2", "border": 1})
    styles = {
        mark: book.add_format({"num_format": "@", "bg_color": colour, "border": 1})
        for mark, colour in _MARKS.items()
    }
    for line, remark in enumerate(remarks):
        page.write_string(line, 0, remark)
    top = len(remarks)
    for place, label in enumerate(header):
        page.write_string(top, place, label, bold)
        page.set_column(place, place, 60 if label == ANSWER else 18, plain)
        if choices and label in choices:
            page.data_validation(
                top + 1,
                place,
                top + max(len(rows), 1),
                place,
                {"validate": "list", "source": list(choices[label])},
            )
    page.freeze_panes(top + 1, 0)
    for number, cells in enumerate(rows):
        style = styles.get(marks[number], plain) if number < len(marks) else plain
        for place, text in enumerate(cells):
            page.write_string(top + 1 + number, place, text, style)
    book.close()
    return out.getvalue()
