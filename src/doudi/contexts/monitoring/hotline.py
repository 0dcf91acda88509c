"""The 12345 hotline's workbook (工单表): taken in row by row, and given back with what came of each work order."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import xlsxwriter
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.monitoring.models import FamilyReport
from doudi.contexts.monitoring.outreach import MAX_TEXT, step_of, take_hotline_report
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.feeds.containers import open_file
from doudi.engine.feeds.tables import Table
from doudi.engine.packs.outreach import CALLED_AT, CONTACT, NAME, NUMBER, PLACE, REGION, TEXT, Outreach

MAX_ROWS = 20_000
STEPS = {
    "received": "已收到，待分办",
    "waiting": "已立预警，待派人",
    "sent": "已派人入户核实",
    "helping": "已核实，正在办理",
    "done": "已办结",
    "answered": "已答复",
}
_FORMS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d",
)


@dataclass
class HotlineOutcome:
    """What became of each row; a problem names the row as the clerk sees it."""

    taken: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    problems: list[tuple[int, str, str]] = field(default_factory=list)


@transaction.atomic
def take_hotline_file(path: Path, *, rules: Outreach, by: User) -> HotlineOutcome:
    """Take a workbook or CSV of work orders in; a work order that was taken before is named and left alone.

    A row that cannot be read does not stop the others.
    """
    require(by, Act.TRIAGE_REPORT)
    outcome = HotlineOutcome()
    seen: set[str] = set()
    places = _Places(by.region_code)
    for row, cells in _rows(path, rules):
        number = _text(cells.get(NUMBER))
        text = _text(cells.get(TEXT))
        if not number and not text:
            continue
        if not number:
            outcome.problems.append((row, "没有工单号", "no work order number"))
            continue
        if number in seen:
            outcome.duplicates.append(number)
            continue
        seen.add(number)
        if not text:
            outcome.problems.append((row, f"工单 {number} 没有内容", f"work order {number} says nothing"))
            continue
        try:
            called = _moment(cells.get(CALLED_AT))
        except ValueError:
            outcome.problems.append(
                (
                    row,
                    f"工单 {number} 的来电时间读不懂",
                    f"work order {number}: the time of the call cannot be read",
                )
            )
            continue
        where = _text(cells.get(REGION)) or places.of(f"{_text(cells.get(PLACE))} {text}")
        if not where.startswith(by.region_code):
            outcome.problems.append(
                (
                    row,
                    f"工单 {number} 的地区 {where} 不在您的辖区",
                    f"work order {number}: {where} is not in your area",
                )
            )
            continue
        kept = take_hotline_report(
            hotline_no=number[:60],
            said_at=called,
            region_code=where[:12],
            text=text[:MAX_TEXT],
            place=_text(cells.get(PLACE))[:200],
            contact=" ".join(filter(None, (_text(cells.get(NAME)), _text(cells.get(CONTACT)))))[:80],
            rules=rules,
            by=by,
        )
        if kept is None:
            outcome.duplicates.append(number)
        else:
            outcome.taken.append(kept.number)
    record(
        by=by,
        act="take_hotline_file",
        region_code=by.region_code,
        detail={
            "taken": len(outcome.taken),
            "duplicates": len(outcome.duplicates),
            "problems": len(outcome.problems),
        },
    )
    return outcome


def _rows(path: Path, rules: Outreach) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows below the header row, by the house's column names, with the number a clerk sees."""
    for table in open_file(path).tables:
        header = _header(table, rules.hotline_columns)
        if header is None:
            continue
        at, places = header
        for block in table.blocks(below=at + 1, width=max(places.values()) + 1):
            if block.first_row + block.height > MAX_ROWS:
                raise DoudiError(
                    f"工单表超过 {MAX_ROWS} 行，请分成几个文件。",
                    f"More than {MAX_ROWS} rows; split the file.",
                    code="hotline_too_long",
                )
            for place in range(block.height):
                cells = block.row(place)
                yield block.first_row + place, {name: cells[column] for name, column in places.items()}
        return
    raise DoudiError(
        f"没有找到表头。工单表须有“{NUMBER}”和“{TEXT}”两列（可用的写法见政策包 outreach.yaml）。",
        "No header row: the file needs a work order number and a text column; see outreach.yaml of the pack.",
        code="hotline_header",
    )


def _header(table: Table, columns: Mapping[str, tuple[str, ...]]) -> tuple[int, dict[str, int]] | None:
    for at, row in enumerate(table.top):
        found = {
            name: place
            for name, written in columns.items()
            for place, cell in enumerate(row)
            if _text(cell).replace(" ", "") in written
        }
        if NUMBER in found and TEXT in found:
            return at, found
    return None


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _moment(cell: Any) -> datetime | None:
    """The time of the call in the office's zone, None where the cell is empty; ValueError where it is none."""
    if isinstance(cell, datetime):
        return timezone.make_aware(cell) if timezone.is_naive(cell) else cell
    if isinstance(cell, date):
        return timezone.make_aware(datetime.combine(cell, time(12)))
    text = _text(cell)
    if not text:
        return None
    for form in _FORMS:
        try:
            return timezone.make_aware(datetime.strptime(text, form))  # noqa: DTZ007 — made aware here
        except ValueError:
            continue
    raise ValueError(text)


class _Places:
    """Divisions by the names that stand in an address, the smallest that fits, within an area."""

    def __init__(self, area: str) -> None:
        self._area = area
        self._below: list[tuple[str, str]] = []
        townships = registry.children(area[:6]) if len(area) >= 6 else []
        for code, name in townships:
            if code.startswith(area[:9]):
                self._below += [(code, name), *registry.children(code)]

    def of(self, address: str) -> str:
        fitting = [code for code, name in self._below if self._area <= code and _short(name) in address]
        townships = [code for code in fitting if len(code) == 9]
        inside = [code for code in fitting if len(code) == 12 and (not townships or code[:9] in townships)]
        # two villages of one name in two townships name neither
        if len(inside) == 1:
            return inside[0]
        return townships[0] if len(townships) == 1 else self._area


def _short(name: str) -> str:
    for tail in ("居民委员会", "村民委员会", "村委会", "居委会"):
        name = name.removesuffix(tail)
    return name


@transaction.atomic
def hotline_answers(*, by: User) -> bytes:
    """The work orders of the account's area with state and answer, as a workbook to send back to the hotline."""
    require(by, Act.TRIAGE_REPORT)
    rows = list(
        FamilyReport.objects.select_related("case")
        .filter(channel="hotline", region_code__startswith=by.region_code)
        .order_by("said_at", "pk")
    )
    record(
        by=by,
        act="export_hotline_answers",
        region_code=by.region_code,
        detail={"rows": len(rows)},
    )
    out = io.BytesIO()
    with xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        sheet = book.add_worksheet("办理情况")
        bold = book.add_format({"bold": True, "bg_color": "#e6eef1"})
        for column, (label, width) in enumerate(
            (("工单号", 22), ("收到时间", 18), ("线索编号", 20), ("办理情况", 20), ("答复", 60))
        ):
            sheet.write_string(0, column, label, bold)
            sheet.set_column(column, column, width)
        for at, found in enumerate(rows, 1):
            for column, value in enumerate(
                (
                    found.hotline_no or "",
                    f"{timezone.localtime(found.received_at):%Y-%m-%d %H:%M}",
                    found.number,
                    STEPS[step_of(found)],
                    found.answer,
                )
            ):
                sheet.write_string(at, column, value)
        sheet.freeze_panes(1, 0)
    return out.getvalue()
