"""The quarantined rows, back in the sender's own workbook: what is wrong stands beside it, in Chinese.

In come a parsed file and the file itself; out comes an ``.xlsx`` with the sender's titles, headers and column order,
only the rows that were set aside, wrong cells marked, and the reasons in a last column. A mended copy can be sent back
as it is: that last column is passed over. No cell can act: text is written as text, formulas are never written.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

import xlsxwriter

from doudi.engine.feeds.cells import text_of
from doudi.engine.feeds.reading import REASON_HEADER, Layout, read_layout
from doudi.engine.feeds.snapshots import aside
from doudi.engine.feeds.spec import ColumnSpec, FeedSpec
from doudi.engine.feeds.tables import Cell, Source
from doudi.engine.feeds.validating import Fault, ParsedFile

_TEXTS = {
    "id_format": "不是 18 位身份证号，请核对后以文本重填",
    "id_birth_date": "身份证号里的出生日期不存在或晚于今天，请核对",
    "id_check_digit": "身份证号末位校验码不对，多半是抄错一位，请核对",
    "id_excel_damaged": "身份证号被 Excel 当成数字，末几位已丢失；请把单元格设为文本后从原件重填",
    "date_invalid": "日期不存在或写法不认识，请写成 2024-03-01",
    "value_missing": "不能空，请补填",
    "row_shifted": "这一行的格数比表头多，多半是金额里的逗号没有加引号",
    "row_torn": "文件到这一行中间就断了，多半没有传完，后面可能还有行；请把整个文件重新发来",
}
_DAMAGED_DIGITS = 1e15
_LONGEST_CELL = 32_767
_FIRST_EXCEL_YEAR = 1900

MOST_ROWS = 200_000
"""More wrong rows than this are not written one by one: then a whole column is wrong, and the first rows show it."""


def reason_text(spec: FeedSpec, fault: Fault) -> str:
    """One fault as a sentence for the clerk who sent the file."""
    if not fault.column:
        return _TEXTS[fault.code]
    column = spec.column(fault.column)
    return f"“{column.label}”{_what_is_wrong(column, fault.code)}"


def _what_is_wrong(column: ColumnSpec, code: str) -> str:
    if code == "date_invalid" and column.type == "month":
        return "月份不存在或写法不认识，请写成 2024-03"
    if code == "code_unknown":
        if column.type == "region":
            return "应为 6、9 或 12 位数字的行政区划代码"
        words = ("是", "否") if column.type == "bool" else column.codes
        return f"只能填：{'、'.join(words)}"
    if code == "money_invalid":
        unit = "金额（元，至多两位小数，不写文字）" if column.type == "money" else "数"
        return f"不是{unit}"
    if code == "money_negative":
        return "不能是负数"
    return _TEXTS[code]


def write_quarantine(parsed: ParsedFile, path_of_original: Source, to: Path) -> int:
    """Write the quarantined rows of a file to the workbook ``to``; the number of rows written.

    The file appears whole or not at all. Raises a ``FeedError`` where the original can no longer be read.
    """
    faults: dict[int, list[Fault]] = defaultdict(list)
    for fault in parsed.faults:
        faults[fault.row_no].append(fault)
    layout = read_layout(parsed.spec, path_of_original)
    with aside(to) as path:
        book = xlsxwriter.Workbook(
            str(path),
            {
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        sheet = _Sheet(book, layout)
        sheet.write_top(parsed.spec)
        written = 0
        for row_no, cells in islice(_rows(layout, faults), MOST_ROWS):
            written += 1
            sheet.write_row(layout.header_row + written, cells, faults[row_no], parsed.spec, row_no)
        if len(faults) > written:
            sheet.write_note(layout.header_row + written + 1, len(faults) - written)
        book.close()
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    return written


def _rows(layout: Layout, wanted: dict[int, list[Fault]]) -> Iterable[tuple[int, list[Cell]]]:
    for block in layout.table.blocks(below=layout.header_row + 1, width=layout.width):
        for place in range(block.height):
            if block.first_row + place in wanted:
                yield block.first_row + place, block.row(place)


class _Sheet:
    """The one sheet of the workbook being written."""

    def __init__(self, book: Any, layout: Layout) -> None:
        self.layout = layout
        self.left = layout.table.first_column
        name = "".join(sign for sign in layout.table.sheet if sign not in "[]:*?/\\'")[:31] or "Sheet1"
        self.sheet = book.add_worksheet(name)
        self.formats = {
            (kind, wrong): book.add_format(
                {
                    **({"num_format": shown} if (shown := _SHOWN.get(kind)) else {}),
                    **({"bg_color": "#FFC7CE", "font_color": "#9C0006", "border": 1} if wrong else {}),
                }
            )
            for kind in ("text", "number", "date")
            for wrong in (False, True)
        }
        self.as_text = book.add_format({"num_format": "@"})
        self.title = book.add_format({"bold": True, "align": "center", "valign": "vcenter"})
        self.header = book.add_format({"bold": True, "bg_color": "#D9E1F2", "border": 1})
        self.reason = book.add_format({"font_color": "#9C0006", "text_wrap": True})

    def write_top(self, spec: FeedSpec) -> None:
        """The rows above the header row, merged as they were, and the header row with the reason column added."""
        layout, left = self.layout, self.left
        merged = {start: end for start, end in layout.table.merges if end[0] < layout.header_row}
        covered = {
            (row, column)
            for (row, column), (last, right) in merged.items()
            for row, column in ((r, c) for r in range(row, last + 1) for c in range(column, right + 1))
        }
        for number, row in enumerate(layout.table.top[: layout.header_row]):
            for place, cell in enumerate(row):
                if (number, place) in merged:
                    last, right = merged[number, place]
                    self.sheet.merge_range(
                        number, place + left, last, right + left, str(cell or ""), self.title
                    )
                elif (number, place) not in covered:
                    self._write(number, place, cell, wrong=False)
        for place, cell in enumerate(layout.table.top[layout.header_row]):
            if cell not in ("", None) and place != self.reason_place:
                self.sheet.write_string(layout.header_row, place + left, str(cell), self.header)
            # what is typed into an identity column must stay text, or Excel damages it again
            is_id = self._is_id(spec, place)
            self.sheet.set_column(
                place + left, place + left, 24 if is_id else 14, self.as_text if is_id else None
            )
        self.sheet.write_string(layout.header_row, self.reason_place + left, REASON_HEADER, self.header)
        self.sheet.set_column(self.reason_place + left, self.reason_place + left, 60)
        self.sheet.freeze_panes(layout.header_row + 1, 0)

    def write_row(
        self, number: int, cells: list[Cell], faults: list[Fault], spec: FeedSpec, row_no: int
    ) -> None:
        wrong = {self.layout.places[fault.column] for fault in faults if fault.column}
        shifted = any(not fault.column for fault in faults)
        for place, cell in enumerate(cells):
            if place != self.reason_place:
                self._write(number, place, cell, wrong=shifted or place in wrong)
        told = "；".join(reason_text(spec, fault) for fault in faults)
        self.sheet.write_string(
            number, self.reason_place + self.left, f"原第 {row_no} 行：{told}", self.reason
        )

    def write_note(self, number: int, left_out: int) -> None:
        told = f"另有 {left_out} 行也被退回，未逐行列出。多半是整列写法不对，请改整列后重发。"
        self.sheet.write_string(number, self.reason_place + self.left, told, self.reason)

    @property
    def reason_place(self) -> int:
        """The column after the last header; where a returned workbook comes again, the same one."""
        top = self.layout.table.top[self.layout.header_row]
        return next((place for place, cell in enumerate(top) if cell == REASON_HEADER), len(top))

    def _is_id(self, spec: FeedSpec, place: int) -> bool:
        return any(spec.column(name).type == "id" and at == place for name, at in self.layout.places.items())

    def _write(self, number: int, place: int, cell: Cell, *, wrong: bool) -> None:
        column = place + self.left
        if cell is None or cell == "":
            if wrong:
                self.sheet.write_blank(number, column, None, self.formats["text", True])
        elif isinstance(cell, bool):
            self.sheet.write_boolean(number, column, cell, self.formats["text", wrong])
        elif isinstance(cell, int | float) and isfinite(cell) and abs(cell) < _DAMAGED_DIGITS:
            self.sheet.write_number(number, column, cell, self.formats["number", wrong])
        elif isinstance(cell, int | float):
            # all its digits would look like a number of a person; this way it is plain that some are lost
            self.sheet.write_string(number, column, text_of(cell, "id"), self.formats["text", wrong])
        elif isinstance(cell, date) and cell.year >= _FIRST_EXCEL_YEAR:
            day = cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell
            self.sheet.write_datetime(number, column, day, self.formats["date", wrong])
        else:
            self.sheet.write_string(number, column, str(cell)[:_LONGEST_CELL], self.formats["text", wrong])


_SHOWN = {"text": "@", "date": "yyyy-mm-dd"}
