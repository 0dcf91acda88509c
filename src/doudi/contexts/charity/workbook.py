"""A body's own workbook as it lies there (月报表): where its header is, which column is which field, its rows as aids.

Nothing here is filed; :mod:`batches` does that.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import xlsxwriter

from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.filing import Aid, fault_of
from doudi.contexts.charity.filing_models import Way
from doudi.engine import money
from doudi.engine.feeds.cells import read_date, text_of
from doudi.engine.feeds.containers import open_file
from doudi.engine.feeds.spec import normal_header
from doudi.engine.feeds.tables import Table
from doudi.engine.packs.linking import (
    AIDED_ON,
    AMOUNT,
    CONSENT,
    COUNT,
    ID_NUMBER,
    KIND,
    MONEY,
    NAME,
    PROJECT,
    WAY,
    WHAT,
    LinkageRules,
    Term,
)

ANSWER = "备案结果"
"""The column that the marked workbook ends with; it is passed over when the workbook comes back."""
_MOST_COLUMNS = 60
_TYPES = {ID_NUMBER: "id", AMOUNT: "money", AIDED_ON: "date", COUNT: "int"}
_YES = frozenset({"是", "同意", "已同意", "有", "y", "yes", "1", "√"})
_NO = frozenset({"否", "不同意", "无", "n", "no", "0"})
_WAYS = {
    Way.CASH: ("资金", "现金", "货币", "慰问金", "cash"),
    Way.GOODS: ("物资", "实物", "物品", "goods"),
    Way.SERVICE: ("服务", "service"),
}


@dataclass(frozen=True)
class Sheet:
    """A workbook's table: the header as the body wrote it, its row number, and the rows of cells below by number."""

    header: tuple[str, ...]
    header_row: int
    above: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[int, tuple[Any, ...]], ...]

    @property
    def layout(self) -> str:
        """The digest of the header: the same layout next month is read as this one was."""
        return layout_of(self.header)


def layout_of(header: Sequence[str]) -> str:
    """The digest of a header row, blind to blanks and units."""
    named = [normal_header(label) for label in header if label and normal_header(label) != ANSWER]
    return hashlib.sha256("\x1f".join(named).encode()).hexdigest()


def read_sheet(content: bytes, rules: LinkageRules) -> Sheet:
    """The first table that looks like a list of aids; refused where there is none or it is too long."""
    for table in open_file(content).tables:
        at = _header_at(table, rules)
        if at is None:
            continue
        header = tuple(text_of(cell, "text").strip() for cell in table.top[at][:_MOST_COLUMNS])
        while header and not header[-1]:
            header = header[:-1]
        _refuse_twice(header)
        above = tuple(tuple(text_of(cell, "text") for cell in row[:_MOST_COLUMNS]) for row in table.top[:at])
        first = 0
        rows: list[tuple[int, tuple[Any, ...]]] = []
        for block in table.blocks(below=at + 1, width=len(header)):
            first = first or block.first_row
            if len(rows) + block.height > rules.most_rows + 1000:
                raise _too_long(rules)
            for place in range(block.height):
                cells = tuple(block.row(place))
                if any(text_of(cell, "text").strip() for cell in cells):
                    rows.append((block.first_row + place, cells))
        if len(rows) > rules.most_rows:
            raise _too_long(rules)
        if not rows:
            raise StepRefused(
                "表头下面没有内容。没有帮扶请做零报告。",
                "No row below the header; make a nil return.",
                code="no_rows",
            )
        return Sheet(header, max(first - 1, at + 1), above, tuple(rows))
    raise StepRefused(
        "没有找到表头：请确认表里有姓名、证件号或帮扶日期这样的列名（不超过前 15 行）。",
        "No header row with a name, an ID or a day was found in the first 15 rows.",
        code="header_missing",
    )


def _too_long(rules: LinkageRules) -> StepRefused:
    return StepRefused(
        f"一张表最多 {rules.most_rows} 行，请分成几张。",
        f"At most {rules.most_rows} rows at once.",
        code="too_long",
    )


def _refuse_twice(header: Sequence[str]) -> None:
    labels = [normal_header(label) for label in header if label]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise StepRefused(
            f"表头“{'、'.join(twice)}”有两列，请改名或删去一列。",
            f"Two columns are headed {', '.join(twice)}; rename or remove one.",
            code="header_twice",
        )


def _header_at(table: Table, rules: LinkageRules) -> int | None:
    """The row that names most fields; failing that the first with four or more labels, for somebody to assign."""
    known = {normal_header(text) for written in rules.columns.values() for text in written}
    best, most, wide = None, 1, None
    for at, row in enumerate(table.top[:15]):
        labels = [normal_header(cell) for cell in row if isinstance(cell, str) and cell.strip()]
        hits = len(known.intersection(labels))
        if hits > most:
            best, most = at, hits
        if wide is None and len(labels) >= 4 and len(set(labels)) == len(labels):
            wide = at
    return best if best is not None else wide


def guess_columns(header: Sequence[str], rules: LinkageRules, learnt: Mapping[str, str]) -> dict[str, str]:
    """Field → header: first as the body had it before, then by the pack's ways of writing it."""
    by_normal = {normal_header(label): label for label in header if label}
    found: dict[str, str] = {}
    for field, written in rules.columns.items():
        for text in (learnt.get(field, ""), *written):
            label = by_normal.get(normal_header(text)) if text else None
            if label is not None and label not in found.values():
                found[field] = label
                break
    return found


def check_mapping(
    columns: Mapping[str, str], defaults: Mapping[str, str], header: Sequence[str], rules: LinkageRules
) -> None:
    """Refuse a mapping by which no row could be filed."""
    strange = [label for label in columns.values() if label not in header]
    if strange or len(set(columns.values())) != len(columns):
        raise StepRefused(
            "一列只能对应一个字段，且须是表里的列。",
            "Each column stands for one field and is in the table.",
            code="mapping",
        )
    if AIDED_ON not in columns and AIDED_ON not in defaults:
        raise StepRefused(
            "请指定“帮扶日期”是哪一列，或填一个统一的日期。",
            "Name the column of the day, or one day for all.",
            code="mapping",
        )
    if not {NAME, ID_NUMBER} <= set(columns) and COUNT not in columns:
        raise StepRefused(
            "请指定“姓名”和“身份证号”两列；集体帮扶请指定“人数”。",
            "Name the columns of name and ID, or the count of a group.",
            code="mapping",
        )
    if AMOUNT not in columns and WHAT not in columns:
        raise StepRefused(
            "请指定“金额”或“内容”。", "Name the column of the amount or of what was given.", code="mapping"
        )
    for field, terms in ((KIND, rules.kinds), (MONEY, rules.money), (WAY, dict(Way.choices))):
        if field not in columns and defaults.get(field, "") not in terms:
            raise StepRefused(
                f"表里没有“{field}”列，请选一个统一的值。",
                f"There is no column of {field}; choose a value for all.",
                code="mapping",
            )


@dataclass(frozen=True)
class ReadRow:
    """One row as an aid, or what stands against it: a code, Chinese, English, and the header of the cell."""

    number: int
    aid: Aid | None
    fault: tuple[str, str, str] | None = None
    column: str = ""


def read_rows(
    sheet: Sheet, columns: Mapping[str, str], defaults: Mapping[str, str], rules: LinkageRules, *, today: date
) -> Iterator[ReadRow]:
    """Each row as an aid by a mapping; a sum line (合计) is passed over."""
    places = {field: sheet.header.index(label) for field, label in columns.items()}
    for number, cells in sheet.rows:
        said = {
            field: text_of(cells[at], _TYPES.get(field, "text")).strip() if at < len(cells) else ""
            for field, at in places.items()
        }
        first = next((text for cell in cells if (text := text_of(cell, "text").strip())), "")
        if first.replace(" ", "").startswith(("合计", "总计", "小计")):
            continue
        yield _row(number, said, columns, defaults, rules, today)


def _row(
    number: int, said: Mapping[str, str], columns: Mapping[str, str], defaults: Mapping[str, str],
    rules: LinkageRules, today: date,
) -> ReadRow:  # fmt: skip
    def bad(field: str, code: str, zh: str, en: str) -> ReadRow:
        return ReadRow(number, None, (code, zh, en), columns.get(field, ""))

    on, _fault = read_date(said.get(AIDED_ON) or defaults.get(AIDED_ON, ""))
    if on is None:
        return bad(
            AIDED_ON,
            "date_invalid",
            "帮扶日期读不懂，请写成 2024-11-15",
            "the day cannot be read; write 2024-11-15",
        )
    fen = 0
    if said.get(AMOUNT):
        read, fault = money.parse_fen(said[AMOUNT])
        if read is None or fault is not None:
            return bad(
                AMOUNT,
                "amount_invalid",
                "金额读不懂，请填元，最多两位小数",
                "the amount cannot be read: yuan, at most two decimals",
            )
        fen = read
    kind = _code(said.get(KIND, ""), rules.kinds) or (defaults.get(KIND, "") if not said.get(KIND) else "")
    if not kind:
        return bad(KIND, "kind_unknown", "需求种类不在名单里", "the kind of need is not on the list")
    funds = _code(said.get(MONEY, ""), rules.money) or (
        defaults.get(MONEY, "") if not said.get(MONEY) else ""
    )
    if not funds:
        return bad(MONEY, "money_unknown", "资金来源不在名单里", "the source of money is not on the list")
    way = _way(said.get(WAY, "")) or (defaults.get(WAY, "") if not said.get(WAY) else "")
    if not way:
        return bad(WAY, "way_unknown", "帮扶方式只能是资金、物资或服务", "the way is cash, goods or service")
    count = None
    if said.get(COUNT) and not said.get(ID_NUMBER):
        if not said[COUNT].isdecimal() or len(said[COUNT]) > 6:
            return bad(COUNT, "count_invalid", "人数应为整数", "the count is a whole number")
        count = int(said[COUNT])
    agreed = said.get(CONSENT, "").casefold()
    aid = Aid(
        aided_on=on,
        kind=kind,
        way=way,
        money=funds,
        name=said.get(NAME, "") if count is None else "",
        id_number=said.get(ID_NUMBER, "") if count is None else "",
        group_count=count,
        amount_fen=fen,
        what=said.get(WHAT, "")[:300],
        project=said.get(PROJECT, "")[:120],
        consent=True if agreed in _YES else False if agreed in _NO else None,
        row=number,
    )
    wrong = fault_of(aid, rules, today=today)
    if wrong is not None:
        column = {"id_invalid": ID_NUMBER, "name_missing": NAME, "date_future": AIDED_ON, "date_old": AIDED_ON,
                  "amount_missing": AMOUNT, "count_invalid": COUNT}.get(wrong[0], "")  # fmt: skip
        return ReadRow(number, None, wrong, columns.get(column, ""))
    return ReadRow(number, aid)


def _code(text: str, terms: Mapping[str, Term]) -> str:
    """The code a word stands for: the code itself, its label, or a way of writing it; '' where it is none."""
    plain = normal_header(text)
    if not plain:
        return ""
    for code, term in terms.items():
        if plain in {normal_header(word) for word in (code, term.label, term.label_en, *term.written)}:
            return code
    return ""


def _way(text: str) -> str:
    plain = normal_header(text)
    return next((str(way) for way, words in _WAYS.items() if plain and plain in words), "")


def mark_sheet(sheet: Sheet, answers: Mapping[int, tuple[str, bool, str]]) -> bytes:
    """The body's own rows with the answer to each in a last column; ``answers``: row → words, taken, header at fault."""
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
    page = book.add_worksheet()
    text = book.add_format({"num_format": "@"})
    wrong = book.add_format({"num_format": "@", "bg_color": "#FFC7CE", "font_color": "#9C0006", "border": 1})
    head = book.add_format({"bold": True, "bg_color": "#D9E1F2", "border": 1})
    told = book.add_format({"text_wrap": True})
    labels = list(sheet.header)
    answer_at = labels.index(ANSWER) if ANSWER in labels else len(labels)
    for number, row in enumerate(sheet.above):
        for at, value in enumerate(row):
            if value:
                page.write_string(number, at, value)
    for at, label in enumerate(labels):
        page.write_string(sheet.header_row - 1, at, label, head)
        page.set_column(at, at, 18, text)
    page.write_string(sheet.header_row - 1, answer_at, ANSWER, head)
    page.set_column(answer_at, answer_at, 60)
    page.freeze_panes(sheet.header_row, 0)
    for number, cells in sheet.rows:
        words, taken, column = answers.get(number, ("", True, ""))
        for at, cell in enumerate(cells):
            if at == answer_at:
                continue
            value = text_of(cell, "id" if normal_header(labels[at]).find("证") >= 0 else "text")
            style = wrong if not taken and labels[at] == column else text
            if value:
                page.write_string(number - 1, at, value, style)
            elif style is wrong:
                page.write_blank(number - 1, at, None, style)
        if words:
            page.write_string(number - 1, answer_at, words, told if taken else wrong)
    book.close()
    return out.getvalue()


def month_of_rows(rows: Sequence[ReadRow]) -> date | None:
    """The month most rows speak of."""
    months = [row.aid.aided_on.replace(day=1) for row in rows if row.aid is not None]
    return max(sorted(set(months)), key=months.count) if months else None


def default_month(today: date) -> date:
    """The month before: what a workbook is usually about."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)
