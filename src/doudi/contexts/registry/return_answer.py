"""The answer to a returned workbook (批注表): the sender's own rows, each cell that is not taken marked, and why."""

from __future__ import annotations

import io
from pathlib import Path

import xlsxwriter

from doudi.contexts.accounts.services import User
from doudi.contexts.registry.exporting import EXPORT_COLUMNS, KEY_LABEL
from doudi.contexts.registry.returned_book import text_of
from doudi.contexts.registry.returning import Cell, Return, Verdict, read_return

ANSWER_HEADER = "回传结果"


def marked_return(path: Path, *, by: User) -> bytes:
    """The sender's own workbook with each cell that is not taken marked and the answer in a last column (批注表).

    It can be mended and sent back as it is: the last column is passed over.
    """
    judged = read_return(path, by=by)
    book, out = judged.book, io.BytesIO()
    written = xlsxwriter.Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    sheet = written.add_worksheet()
    text = written.add_format({"num_format": "@"})
    wrong = written.add_format(
        {"num_format": "@", "bg_color": "#FFC7CE", "font_color": "#9C0006", "border": 1}
    )
    good = written.add_format({"num_format": "@", "bg_color": "#C6EFCE", "border": 1})
    header = written.add_format({"bold": True, "bg_color": "#D9E1F2", "border": 1})
    told = written.add_format({"text_wrap": True})
    answer_at = book.columns.get(ANSWER_HEADER, len([label for label in book.header if label]))
    labels = EXPORT_COLUMNS[judged.export.subject]
    by_line: dict[int, list[Cell]] = {}
    for cell in judged.cells:
        by_line.setdefault(cell.line, []).append(cell)
    for number, values in enumerate(book.above):
        for at, value in enumerate(values):
            if value is not None:
                sheet.write_string(number, at, text_of(value))
    for at, label in enumerate(book.header):
        if label:
            sheet.write_string(book.header_line - 1, at, label, header)
            sheet.set_column(at, at, 26 if label.startswith(KEY_LABEL) else 16, text)
    sheet.write_string(book.header_line - 1, answer_at, ANSWER_HEADER, header)
    sheet.set_column(answer_at, answer_at, 60)
    sheet.freeze_panes(book.header_line, 0)
    for line in book.lines:
        cells = {labels.get(cell.column, ""): cell for cell in by_line.get(line.number, ())}
        for label, at in book.columns.items():
            if at == answer_at or at >= len(line.raw):
                continue
            found = cells.get(label)
            style = text
            if found is not None and found.verdict is not Verdict.SAME:
                style = good if found.acts else wrong
            value = line.values.get(label, "")
            if value:
                sheet.write_string(line.number - 1, at, value, style)
            elif style is not text:
                sheet.write_blank(line.number - 1, at, None, style)
        if line.number in by_line:
            sheet.write_string(
                line.number - 1,
                answer_at,
                "；".join(_answer(judged, cell) for cell in by_line[line.number]),
                told,
            )
    written.close()
    return out.getvalue()


def _answer(judged: Return, cell: Cell) -> str:
    said = f"“{judged.label(cell.column)}”{cell.verdict.label}" if cell.column else cell.verdict.label
    return f"{said}：{cell.zh}" if cell.zh else said
