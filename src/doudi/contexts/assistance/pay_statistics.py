"""What was paid, by month and township (月报), against the year's budget, and what the year will come to (预算与预测).

A table's columns are the pack's. Every cell is a count over rows of frozen rosters; :func:`cell_rows` gives the very
rows behind it, so that a figure can always be opened as its list.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from typing import Any

import xlsxwriter
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Substr

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.roster_models import Budget, Roster, RosterRow
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import BenefitRules, Column, Table, first_of, month_text

TOWNSHIP = 9
"""Digits of a township's code."""


def _rows(by: User, month: date, region_code: str = "") -> QuerySet[RosterRow]:
    require(by, Act.VIEW_ROSTERS)
    return RosterRow.objects.filter(
        roster__status=Roster.Status.FROZEN,
        roster__month=first_of(month),
        region_code__startswith=region_code if region_code.startswith(by.region_code) else by.region_code,
    )


def cell_rows(
    column: Column, *, month: date, by: User, region_code: str = "", township: str = ""
) -> QuerySet[RosterRow]:
    """The rows behind a cell of a month and an area; ``township`` is the line's own code.

    A household registered with the county alone stands in a line of its own, not in every township's.
    """
    found = _rows(by, month, region_code).filter(benefit__in=column.benefits, kind__in=column.kinds)
    if township:
        found = found.annotate(town=Substr("region_code", 1, TOWNSHIP)).filter(town=township)
    return found.order_by("region_code", "household_no", "pk")


@dataclass(frozen=True)
class Line:
    """One township of a table; the values stand in the order of the columns, money in fen."""

    region_code: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class Statistics:
    """A monthly table with its townships and the total."""

    table: Table
    month: date
    lines: tuple[Line, ...]
    total: tuple[int, ...]


def monthly_table(table: Table, *, month: date, by: User, region_code: str = "") -> Statistics:
    """A table of a month, one grouped query per column."""
    counted: dict[str, list[int]] = {}
    total = []
    for place, column in enumerate(table.columns):
        found = cell_rows(column, month=month, by=by, region_code=region_code).order_by()
        total.append(found.aggregate(n=_counting(column))["n"] or 0)
        by_town = (
            found.annotate(town=Substr("region_code", 1, TOWNSHIP))
            .values_list("town")
            .annotate(n=_counting(column))
        )
        for town, n in by_town:
            counted.setdefault(town, [0] * len(table.columns))[place] = n or 0
    lines = tuple(Line(town, tuple(values)) for town, values in sorted(counted.items()))
    return Statistics(table, first_of(month), lines, tuple(total))


def _counting(column: Column) -> Any:
    return {
        "户数": Count("household_no", distinct=True),
        "人数": Sum("persons"),
        "行数": Count("pk"),
        "金额": Sum("amount_fen"),
    }[column.counts]


@transaction.atomic
def export_table(statistics: Statistics, *, by: User) -> bytes:
    """A monthly table as a workbook; the export is in the log."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("月报")
        bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
        sheet.write(0, 0, f"{statistics.table.label} {month_text(statistics.month)}", bold)
        for place, text in enumerate(
            ("区划代码", "乡镇（街道）", *(one.label for one in statistics.table.columns))
        ):
            sheet.write(1, place, text, bold)
        rows = [*((line.region_code, line.values) for line in statistics.lines), ("合计", statistics.total)]
        for at, (code, values) in enumerate(rows, 2):
            sheet.write_string(at, 0, code)
            sheet.write_string(at, 1, registry.region_name(code) if code.isdigit() else "")
            for place, (column, value) in enumerate(zip(statistics.table.columns, values, strict=True), 2):
                if column.is_money:
                    sheet.write_number(at, place, value / 100, money)
                else:
                    sheet.write_number(at, place, value)
        sheet.set_column(0, 1, 16)
    record(
        by=by,
        act="export_pay_table",
        region_code=by.region_code,
        detail={"table": statistics.table.code, "month": statistics.month, "lines": len(statistics.lines)},
    )
    return out.getvalue()


# ---- budget and forecast ----------------------------------------------------------------------------------------------


@transaction.atomic
def record_budget(
    *,
    year: int,
    region_code: str,
    benefit: str,
    amount_fen: int,
    document: str,
    rules: BenefitRules,
    by: User,
) -> Budget:
    """Record a year's appropriation; a later one takes the place of the earlier, which stays."""
    require(by, Act.KEEP_BUDGET, region_code=region_code)
    take_turn()
    rules.benefit(benefit)
    if not 2000 <= year <= 2100 or amount_fen < 0:
        raise StepRefused("年度或金额不对。", "The year or the sum is wrong.")
    if not document.strip():
        raise StepRefused("请填写预算文号。", "Give the document.")
    last = _budget(year, region_code, benefit)
    if last is not None and (last.amount_fen, last.document) == (amount_fen, document.strip()):
        return last
    made = Budget.objects.create(
        year=year,
        region_code=region_code,
        benefit=benefit,
        amount_fen=amount_fen,
        document=document.strip()[:80],
        recorded_by=by.username,
    )
    record(
        by=by,
        act=Act.KEEP_BUDGET,
        region_code=region_code,
        detail={"year": year, "benefit": benefit, "amount_fen": amount_fen},
    )
    return made


def _budget(year: int, region_code: str, benefit: str) -> Budget | None:
    return Budget.objects.filter(year=year, region_code=region_code, benefit=benefit).order_by("-pk").first()


@dataclass(frozen=True)
class Forecast:
    """A benefit's year in fen: the budget (None: none recorded), what frozen rosters hold, and what is still to come."""

    benefit: str
    budget_fen: int | None
    spent_fen: int
    to_come_fen: int
    months: tuple[int, ...]
    """What each of the twelve months holds; the months to come at the last month's regular sum."""
    rostered: int
    """So many months are rostered."""

    @property
    def year_fen(self) -> int:
        return self.spent_fen + self.to_come_fen

    @property
    def left_fen(self) -> int | None:
        """What the budget leaves at the end of the year; negative: it will not do."""
        return None if self.budget_fen is None else self.budget_fen - self.year_fen


def forecast(*, year: int, region_code: str, rules: BenefitRules, by: User) -> list[Forecast]:
    """The year of each benefit in an area: months rostered as they are, the others as the last month's regular rows.

    One-off aid is not forecast beyond what was decided: nobody knows next month's emergencies.
    """
    require(by, Act.VIEW_ROSTERS, region_code=region_code or None)
    area = region_code if region_code.startswith(by.region_code) else by.region_code
    rows = _rostered(year, area)
    sums: dict[tuple[str, int], int] = {}
    for benefit, month, fen in (
        rows.order_by().values_list("benefit", "roster__month").annotate(fen=Sum("amount_fen"))
    ):
        key = (benefit, month.month)
        sums[key] = sums.get(key, 0) + fen
    last = max((month for _benefit, month in sums), default=0)
    regular = _last_regular(year, area)
    found = []
    for code, chosen in rules.benefits.items():
        each = regular.get(code, 0) if chosen.monthly else 0
        months = tuple(sums.get((code, month), 0) if month <= last else each for month in range(1, 13))
        budget = _budget(year, area[:6], code)
        spent = sum(months[:last])
        found.append(
            Forecast(code, budget.amount_fen if budget else None, spent, sum(months[last:]), months, last)
        )
    return found


@dataclass(frozen=True)
class TownshipForecast:
    """A township's year over all benefits, in fen; the townships' sums are those of :func:`forecast` together."""

    region_code: str
    spent_fen: int
    to_come_fen: int

    @property
    def year_fen(self) -> int:
        return self.spent_fen + self.to_come_fen


def forecast_by_township(
    *, year: int, region_code: str, rules: BenefitRules, by: User
) -> list[TownshipForecast]:
    """The year of each township of an area, by the rule of :func:`forecast`."""
    require(by, Act.VIEW_ROSTERS, region_code=region_code or None)
    area = region_code if region_code.startswith(by.region_code) else by.region_code
    rows = _rostered(year, area)
    last = rows.order_by("-roster__month").values_list("roster__month__month", flat=True).first() or 0
    spent = _by_township(rows)
    monthly = [code for code, one in rules.benefits.items() if one.monthly]
    regular = _last_regular_rows(year, area)
    each = _by_township(regular.filter(benefit__in=monthly)) if regular is not None else {}
    return [
        TownshipForecast(code, spent.get(code, 0), each.get(code, 0) * (12 - last))
        for code in sorted(spent.keys() | each.keys())
    ]


def _by_township(rows: QuerySet[RosterRow]) -> dict[str, int]:
    towns = rows.order_by().annotate(town=Substr("region_code", 1, TOWNSHIP)).values_list("town")
    return dict(towns.annotate(fen=Sum("amount_fen")))


def _rostered(year: int, area: str) -> QuerySet[RosterRow]:
    """The rows of an area's year that are aid: frozen, without what waits and what was kept back."""
    return RosterRow.objects.filter(
        roster__status=Roster.Status.FROZEN, roster__month__year=year, region_code__startswith=area
    ).exclude(kind__in=(RosterRow.Kind.HELD, RosterRow.Kind.OFFSET))


def _last_regular(year: int, area: str) -> dict[str, int]:
    """The regular sums by benefit of the last frozen month up to the end of a year."""
    rows = _last_regular_rows(year, area)
    return (
        {} if rows is None else dict(rows.order_by().values_list("benefit").annotate(fen=Sum("amount_fen")))
    )


def _last_regular_rows(year: int, area: str) -> QuerySet[RosterRow] | None:
    """The regular rows of the last frozen month up to the end of a year, None before the first."""
    rows = RosterRow.objects.filter(
        roster__status=Roster.Status.FROZEN,
        roster__month__lte=date(year, 12, 1),
        region_code__startswith=area,
        kind=RosterRow.Kind.REGULAR,
    )
    month = rows.order_by("-roster__month").values_list("roster__month", flat=True).first()
    return None if month is None else rows.filter(roster__month=month)
