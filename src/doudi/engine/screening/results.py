# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""Reading a screen's result: rows for the warnings, the export as CSV, and what changed since another screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from doudi.engine.feeds.snapshots import rows_of
from doudi.engine.packs.compiling import FIGURES
from doudi.engine.screening.running import ScreeningError

EXPORT_COLUMNS = (
    "household_no", *FIGURES, "category", "change", "warnings", "level", "risk_level",
)  # fmt: skip
_MONEY = frozenset({"monthly_income", "financial_assets", "rigid_expenditure"})
_BATCH = 5_000


def _source(folder: Path) -> str:
    try:
        files = json.loads((folder / "result.json").read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise ScreeningError(
            f"{folder} 里没有完整的筛查结果, 请重新筛查",
            f"{folder} holds no finished result: screen again",
            code="no_result",
        ) from error
    return rows_of(*(folder / name for name in files))


def _connect() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})


def read_result(folder: Path, *, only_warnings: bool = False) -> Iterator[dict[str, Any]]:
    """The rows of a finished screen by household number, money in fen.

    ``warnings`` and ``undecided`` are lists of codes, ``warning_levels`` maps a raised code to its level, ``details``
    says for a raised code how much it is (fen, or a count), by person key (None: the household); a figure that is
    undecided is None.
    """
    where = "WHERE warnings <> '' OR undecided <> ''" if only_warnings else ""
    with _connect() as connection:
        result = connection.execute(f"SELECT * FROM {_source(folder)} {where} ORDER BY household_no")
        names = [column[0] for column in result.description]
        while batch := result.fetchmany(_BATCH):
            for values in batch:
                row = dict(zip(names, values, strict=True))
                row["warnings"] = row["warnings"].split(";") if row["warnings"] else []
                row["undecided"] = row["undecided"].split(";") if row["undecided"] else []
                pairs = (pair.rpartition(":") for pair in row["warning_levels"].split(";") if pair)
                row["warning_levels"] = {code: level for code, _, level in pairs}
                row["details"] = read_details(row.get("details") or "")
                yield row


def read_details(text: str) -> dict[str, dict[int | None, int | None]]:
    """``M1@7=1800000;U1@8;R1=2`` as code → person key or None → value or None."""
    details: dict[str, dict[int | None, int | None]] = {}
    for part in text.split(";") if text else ():
        told, _, value = part.partition("=")
        code, _, person = told.partition("@")
        details.setdefault(code, {})[int(person) if person else None] = int(value) if value else None
    return details


def write_export(folder: Path, to: Path) -> None:
    """The export of reference-pack.md: one row per household, by household number, money in 元 with two decimals.

    An undecided figure is an empty cell. The file appears whole or not at all.
    """
    columns = ", ".join(_cell(column) for column in EXPORT_COLUMNS)
    aside = to.with_name(to.name + ".aside")
    with _connect() as connection:
        connection.execute(
            f"COPY (SELECT {columns} FROM {_source(folder)} ORDER BY household_no) TO"
            f" '{str(aside).replace(chr(39), chr(39) * 2)}' (FORMAT csv, HEADER, NULLSTR '')"
        )
    aside.replace(to)


def _cell(column: str) -> str:
    if column == "warnings":
        return "nullif(warnings, '') AS warnings"
    if column not in _MONEY:
        return column
    sign = f"CASE WHEN {column} < 0 THEN '-' ELSE '' END"
    return f"{sign} || printf('%d.%02d', abs({column}) // 100, abs({column}) % 100) AS {column}"


@dataclass(frozen=True)
class Changes:
    """How one screen differs from an earlier one, in households."""

    appeared: int
    gone: int
    category: int
    warnings: int
    level: int
    unchanged: int


def compare_results(new: Path, old: Path) -> Changes:
    """Count what changed between two finished screens, household by household number and region."""
    with _connect() as connection:
        row = connection.execute(
            f"""
            SELECT count(*) FILTER (WHERE o.household_no IS NULL),
                   count(*) FILTER (WHERE n.household_no IS NULL),
                   count(*) FILTER (WHERE n.category <> o.category),
                   count(*) FILTER (WHERE n.warnings <> o.warnings OR n.undecided <> o.undecided),
                   count(*) FILTER (WHERE n.level <> o.level OR n.risk_level <> o.risk_level),
                   count(*) FILTER (WHERE n.category = o.category AND n.warnings = o.warnings
                       AND n.undecided = o.undecided AND n.level = o.level AND n.risk_level = o.risk_level)
            FROM {_source(new)} n FULL JOIN {_source(old)} o
              ON n.household_no = o.household_no AND n.region_code = o.region_code
            """
        ).fetchall()[0]
    return Changes(*(int(count) for count in row))
