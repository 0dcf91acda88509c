"""Worked cases from a worksheet: the law officer's table of inputs and expected results (例表).

In comes a workbook or CSV under a pack's ``cases`` folder; out come the same nodes as from YAML, each with the sheet and
cell it stands in, so that every check and message is the one that YAML cases have. One sheet is one table:

* the first row that is not empty is the header; ``名`` is the case, ``日`` ``地区`` ``城乡`` ``说明`` ``未到`` are its own keys;
* a household's variable gives an input, ``参数.X`` a number of the case's own, ``应为.X`` what must come out;
* ``成员.X`` is a column of the register and ``部门数据.X`` one of a department's file: a row without a name goes on with
  the case above, a filled ``成员`` cell begins the next member, a row without one adds rows to the member above.

An empty cell says nothing. A unit in brackets behind a header (``家庭月收入(元)``) is put behind bare numbers below it.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils import get_column_letter

from doudi.engine.errors import DoudiError
from doudi.engine.feeds.workbooks import inspect_package
from doudi.engine.packs.problems import Report
from doudi.engine.packs.source import MAX_FILE_BYTES, Node

SUFFIXES = frozenset({".xlsx", ".csv"})
MAX_ROWS, MAX_COLUMNS = 5_000, 200
_OWN = frozenset({"名", "日", "地区", "城乡", "说明", "未到"})
_LISTS = frozenset({"应为.预警", "应为.待定", "应为.标签", "未到"})
_UNIT = re.compile(r"^(.*?)\s*\(([^()]*)\)$")
_BARE = re.compile(r"^-?\d[\d,]*(\.\d+)?$")


@dataclass(frozen=True)
class _Column:
    """One column of a table: ``名``, or ``应为`` with the name behind the dot; the unit of its bare numbers."""

    head: str
    name: str
    unit: str
    letter: str


def read_worksheet(path: Path, shown: str, report: Report) -> Node | None:
    """The cases of one workbook or CSV file as a pack file's node; None where it cannot be read (the report says why)."""
    if path.stat().st_size > MAX_FILE_BYTES:
        report.add((shown, 1), "too_large", "例表超过 1 MiB", "the table is larger than 1 MiB")
        return None
    try:
        tables = (
            list(_tables_of_text(path)) if path.suffix.lower() == ".csv" else list(_tables_of_workbook(path))
        )
    except (DoudiError, OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        told = problem.en if isinstance(problem, DoudiError) else type(problem).__name__
        report.add(
            (shown, 1),
            "worksheet",
            "例表打不开, 请用 Excel 另存为 .xlsx 或 UTF-8 的 CSV",
            f"the table cannot be read: {told}",
        )
        return None
    cases: list[Node] = []
    for sheet, rows in tables:
        cases += _Table(shown, sheet, report).cases(rows)
    return Node({"例": Node(cases, shown, 1)}, shown, 1)


def _tables_of_workbook(path: Path) -> Iterator[tuple[str, list[list[str]]]]:
    content = path.read_bytes()
    inspect_package(content, path.name)
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible" or sheet.title.startswith("说明"):
            continue
        rows = sheet.iter_rows(max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS)
        yield sheet.title, [[_written(cell) for cell in row] for row in rows]


def _tables_of_text(path: Path) -> Iterator[tuple[str, list[list[str]]]]:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030")
    yield path.stem, [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text))]


def _written(cell: Any) -> str:
    """A cell as an officer would write it into YAML: 2024-11-15, 是, 60%, 1490.5."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        percent = "%" in str(getattr(cell, "number_format", ""))
        return f"{(exact * 100 if percent else exact).normalize():f}" + ("%" if percent else "")
    return str(value).strip()


class _Table:
    """One sheet: its columns, then case after case."""

    def __init__(self, shown: str, sheet: str, report: Report) -> None:
        self.shown, self.sheet, self.report = shown, sheet, report

    def place(self, letter: str, row: int) -> str:
        """File, sheet and cell as a clerk finds it; the layer's colon must not stand in it."""
        return f"{self.shown} 工作表“{self.sheet.replace(':', '')}” 单元格 {letter}{row}"

    def node(self, value: Any, letter: str, row: int) -> Node:
        return Node(value, self.place(letter, row), row)

    def cases(self, rows: Sequence[Sequence[str]]) -> list[Node]:
        """Every case of the sheet."""
        numbered = [(number, row) for number, row in enumerate(rows, 1) if any(row)]
        if not numbered:
            return []
        if len(rows) > MAX_ROWS:
            self.report.add(
                (self.place("A", MAX_ROWS), MAX_ROWS),
                "too_large",
                f"例表至多 {MAX_ROWS} 行",
                f"at most {MAX_ROWS} rows",
            )
            return []
        header, *body = numbered
        columns = self.columns(*header)
        if not any(column is not None and column.head == "名" for column in columns):
            self.report.add(
                (self.place("A", header[0]), header[0]),
                "worksheet",
                "例表第一行是表头, 要有“名”这一列",
                "the first row is the header and needs a column 名",
            )
            return []
        found: list[Node] = []
        group: list[tuple[int, Sequence[str]]] = []
        name_at = next(i for i, column in enumerate(columns) if column is not None and column.head == "名")
        for number, row in body:
            named = name_at < len(row) and row[name_at] != ""
            if named and group:
                found += self.case(columns, group)
                group = []
            if named or group:
                group.append((number, row))
            else:
                letter = get_column_letter(name_at + 1)
                self.report.add(
                    (self.place(letter, number), number),
                    "worksheet",
                    "这一行没有例名",
                    "this row belongs to no case",
                )
        if group:
            found += self.case(columns, group)
        return found

    def columns(self, number: int, header: Sequence[str]) -> list[_Column | None]:
        found: list[_Column | None] = []
        seen: set[str] = set()
        for i, text in enumerate(header):
            letter = get_column_letter(i + 1)
            plain = unicodedata.normalize("NFKC", text).replace("\n", "").strip()
            if not plain:
                found.append(None)
                continue
            if plain in seen:
                self.report.add(
                    (self.place(letter, number), number),
                    "duplicate_key",
                    f"表头“{plain}”写了两次",
                    f"{plain!r} stands twice",
                )
            seen.add(plain)
            unit = ""
            if bracketed := _UNIT.match(plain):
                plain, unit = bracketed[1], bracketed[2]
            head, _, name = re.sub(r"\s*[.:]\s*", ".", plain).partition(".")
            found.append(_Column(head, name, unit, letter))
        return found

    def case(
        self, columns: Sequence[_Column | None], rows: Sequence[tuple[int, Sequence[str]]]
    ) -> Iterable[Node]:
        """One case from its first row and those that go on with it; a name that begins with # is a remark."""
        first, own = rows[0][0], dict[str, Node]()
        sections: dict[str, dict[str, Node]] = {"应为": {}, "参数": {}}
        members: list[dict[str, Node]] = []
        for number, row in rows:
            feeds: dict[str, dict[str, Node]] = {}
            register: dict[str, Node] = {}
            for column, text in zip(columns, row, strict=False):
                if column is None or text == "":
                    continue
                written = text + column.unit if column.unit and _BARE.match(text) else text
                cell = self.cell(column, written, number)
                if not column.name:
                    own[column.head] = cell
                elif column.head in sections:
                    sections[column.head][column.name] = cell
                elif column.head == "成员":
                    register[column.name] = cell
                else:
                    feeds.setdefault(column.head, {})[column.name] = cell
            if register:
                members.append(register)
            elif feeds and not members:
                members.append({})
            for feed, cells in feeds.items():
                rows_of = members[-1].setdefault(feed, Node([], self.place("A", number), number))
                rows_of.elements().append(Node(cells, self.place("A", number), number))
        if own["名"].text.startswith("#"):
            return
        at = self.place("A", first)
        for key, cells in sections.items():
            if cells:
                own[key] = Node(cells, at, first)
        if members:
            own["成员"] = Node([Node(member, at, first) for member in members], at, first)
        yield Node(own, at, first)

    def cell(self, column: _Column, text: str, row: int) -> Node:
        """A cell; a list is written with 、 or commas, one label row per member with semicolons."""
        key = f"{column.head}.{column.name}" if column.name else column.head
        if key in _LISTS:
            apart = r"[;；]" if key == "应为.标签" else r"[、,，\s]+"
            parts = [] if text == "无" and key != "应为.标签" else [p.strip() for p in re.split(apart, text)]
            return self.node(
                [self.node(part, column.letter, row) for part in parts if part], column.letter, row
            )
        return self.node(text, column.letter, row)


_TEMPLATE = ("名", "地区", "城乡", "日", "家庭人口(人)", "家庭月收入(元)", "应为.收入低于标准", "说明")
_REMARKS = (
    "一行一例。第一行是表头, 可以加列:",
    "家庭变量的名称(如 金融资产(元))= 给的值; 括号里的单位会加在光写的数后面。没给的是不知道, 不是零。",
    "参数.低保标准(元) = 这一例自己的数; 应为.变量、应为.类别、应为.预警、应为.等级 = 应得的结果; 未到 = 没到的数据。",
    "成员.与户主关系、成员.现有类别 …… 和 医疗结算.个人自付(元) …… = 成员和部门的行: 一名成员一行, 例名只写在第一行;",
    "同一成员有几行部门数据的, 后几行的“成员”列留空。",
    "例名以 # 开头的不算。写好后运行 doudi pack test。",
)


def write_template(path: Path, region: str) -> None:
    """A workbook to begin with: one table with a remark row, and a sheet that says how it is filled."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "例"
    sheet.append(list(_TEMPLATE))
    sheet.append(["# 刚好到线不算低", region, "城镇", "2024-07-01", 2, 1400, "否", "改成自己的数, 去掉井号"])
    sheet.freeze_panes = "B2"
    for i, title in enumerate(_TEMPLATE, 1):
        sheet.column_dimensions[get_column_letter(i)].width = max(12, 2 * len(title))
    remarks = book.create_sheet("说明")
    for line in _REMARKS:
        remarks.append([line])
    remarks.column_dimensions["A"].width = 110
    book.save(path)
