"""Read the lists of needs, projects and eligible pairs that a county sends (columns as in docs/reference/charity-match.md).

In come paths; out come needs, projects and offers. Sums are whole fen, or with decimals in any unit that both
files share; they are kept as whole hundredths then. Nothing is matched here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from sys import intern

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doudi.engine.charity import gap_after_aid
from doudi.engine.csvfile import CsvFile
from doudi.engine.matching.offers import Ints, Need, Offers, Project, listed_offers

_FIT_DIGITS = 6
_LARGEST_FIT = 1e6


def read_needs(path: Path, *, unit: int = 1) -> list[Need]:
    """Needs from ``id, tier, amount, region, kind, group, waiting_days[, public_aid, other_aid, income]``.

    ``unit`` is 1 for whole sums and 100 to keep two decimals. Public and other aid are taken off the amount.
    """
    table = CsvFile(path, ["id", "tier"])
    ids = table.identifiers()
    tiers = _whole(table, "tier", low=1)
    waiting = _whole(table, "waiting_days", blank=0)
    amounts, public, other = (_money(table, name, unit) for name in ("amount", "public_aid", "other_aid"))
    incomes = _money(table, "income", unit) if table.has("income") else None
    regions, kinds, groups = (table.text(name) for name in ("region", "kind", "group"))
    needs = []
    for i, key in enumerate(ids):
        asked = amounts[i]
        gap = (
            None
            if asked is None
            else gap_after_aid(asked, public_aid=public[i] or 0, other_aid=other[i] or 0)
        )
        ratio = None
        if incomes is not None:
            income = incomes[i]
            if income is None:
                raise table.refusal(
                    i,
                    "income",
                    "是空的；收入不详时请删去整列",
                    "is blank; drop the whole column if incomes are not known",
                )
            ratio = (gap or 0) / income if income else float("inf")
        needs.append(
            Need(
                key, tiers[i], gap, intern(regions[i]), intern(kinds[i]), intern(groups[i]), waiting[i], ratio
            )
        )
    return needs


def read_projects(path: Path, *, unit: int = 1) -> list[Project]:
    """Projects from ``id, places, budget, region, kinds, groups, interested_persons`` (lists by ``;``)."""
    table = CsvFile(path, ["id"])
    ids = table.identifiers()
    places, budgets = _money(table, "places", 1), _money(table, "budget", unit)
    regions = table.text("region")
    kinds, groups, persons = (
        [
            frozenset(part.strip() for part in cell.replace("；", ";").split(";") if part.strip())
            for cell in cells
        ]
        for cells in (table.text("kinds"), table.text("groups"), table.text("interested_persons"))
    )
    for i in range(len(ids)):
        if places[i] is None and budgets[i] is None:
            raise table.refusal(
                i,
                "places",
                "与“budget”列都是空的：名额和预算至少要填一项",
                "and budget are both blank: a project needs a number of places or a budget",
            )
    return [
        Project(ids[i], places[i], budgets[i], intern(regions[i]), kinds[i], groups[i], persons[i])
        for i in range(len(ids))
    ]


def money_unit(*paths: Path) -> int:
    """100 if any sum in the needs' or projects' file has decimals, else 1."""
    for path in paths:
        table = CsvFile(path, ["id"])
        for column in ("amount", "public_aid", "other_aid", "income", "budget"):
            if any(
                value is not None and value != value.to_integral_value() for value in table.decimals(column)
            ):
                return 100
    return 1


def read_eligible(path: Path, needs: Sequence[Need], projects: Sequence[Project]) -> Offers:
    """Offers from ``need_id, project_id, fit``; a blank or absent fit is 1. Fits are kept to six decimals."""
    table = CsvFile(path, ["need_id", "project_id"])
    need = _positions(table, "need_id", [one.id for one in needs], "需求表", "the needs' list")
    project = _positions(table, "project_id", [one.id for one in projects], "项目表", "the projects' list")
    fit, scale = _fits(table)
    order = np.lexsort((project, need))
    again = (np.diff(need[order]) == 0) & (np.diff(project[order]) == 0)
    if again.any():
        row = int(order[np.flatnonzero(again)[0] + 1])
        raise table.refusal(
            row, "project_id", "：同一需求与项目出现两次", "this need and project appear twice"
        )
    del table, order, again
    pa.default_memory_pool().release_unused()
    return listed_offers(needs, projects, need, project, fit, scale=scale)


def _positions(table: CsvFile, column: str, known: list[str], zh: str, en: str) -> Ints:
    cells = pc.utf8_trim_whitespace(table.arrow(column))
    found = pc.index_in(cells, value_set=pa.array(known, pa.string()))
    if found.null_count:
        row = int(np.flatnonzero(pc.is_null(found).to_numpy())[0])
        value = cells[row].as_py()
        raise table.refusal(row, column, f"“{value}”不在{zh}中", f"“{value}” is not in {en}")
    return found.to_numpy()


def _fits(table: CsvFile) -> tuple[Ints, int]:
    if not table.has("fit"):
        return np.ones(table.rows, dtype=np.int64), 1
    cells = pc.utf8_trim_whitespace(table.arrow("fit"))
    try:
        values = pc.cast(pc.if_else(pc.equal(cells, ""), "1", cells), pa.float64()).to_numpy()
        plain = bool(np.isfinite(values).all() and (values >= 0).all() and (values <= _LARGEST_FIT).all())
    except pa.ArrowInvalid:
        plain = False
    if not plain:
        values = np.array(table.numbers("fit", blank=1.0, high=_LARGEST_FIT))
    if len(values) and values.max() * 10**_FIT_DIGITS > 2e9:
        values = np.round(values, 3)  # large points of many digits would not fit the solver
    scale = 1
    while (
        scale < 10**_FIT_DIGITS
        and np.abs(values * scale - np.round(values * scale)).max(initial=0) > 1e-9 * scale
    ):
        scale *= 10
    return np.round(values * scale).astype(np.int64), scale


def _whole(table: CsvFile, column: str, *, low: int = 0, blank: int | None = None) -> list[int]:
    values = table.numbers(column, blank=blank, low=low, high=1e6)
    for index, value in enumerate(values):
        if value != int(value):
            raise table.refusal(index, column, f" {value:g} 不是整数", f"{value:g} is not a whole number")
    return [int(value) for value in values]


def _money(table: CsvFile, column: str, unit: int) -> list[int | None]:
    out: list[int | None] = []
    for index, value in enumerate(table.decimals(column)):
        if value is None:
            out.append(None)
            continue
        scaled: Decimal = value * unit
        if scaled != scaled.to_integral_value():
            zh, en = (
                ("最多两位小数", "may have two decimals at most")
                if unit > 1
                else ("须为整数", "must be whole")
            )
            raise table.refusal(index, column, f" {value} {zh}", f"{value} {en}")
        out.append(int(scaled))
    return out
