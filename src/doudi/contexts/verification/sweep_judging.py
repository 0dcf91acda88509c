# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""Whether a household's finding is otherwise than on an earlier day (整批复查): lines of two days held against each other.

Equal lines are settled by DuckDB, the others one by one by the rule that also holds from door to door.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq

from doudi.contexts.verification.sweep_gate import (
    CHANGED,
    UNCHANGED,
    Listed,
    Side,
)
from doudi.engine.feeds.snapshots import rows_of
from doudi.engine.packs import Pack
from doudi.engine.verification import Rules, changes_between
from doudi.engine.verification.lines import Lines, limits_of, line_of, write_lines
from doudi.house.paths import home


def judge_all(
    looked_at: Mapping[str, Listed], now: Side, then: Side, purpose: str, pack: Pack, rules: Rules
) -> Lines:
    """Say of every household that was looked at whether its finding is what it was; the lines of now."""
    with TemporaryDirectory(dir=home().work) as folder:
        lines = [
            write_lines(pack, rules, purpose, side.snapshots, looked_at, Path(folder) / f"{name}.parquet")
            for name, side in (("now", now), ("then", then))
        ]
        compare(looked_at, lines[0], lines[1], rules)
    return lines[0]


def compare(looked_at: Mapping[str, Listed], now: Lines, then: Lines, rules: Rules) -> None:
    """Write beside each household that was looked at what became of it."""
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as desk:
        columns = [name for name in pq.read_schema(now.path).names if name not in _FACTS]
        same = " AND ".join(f't."{name}" IS NOT DISTINCT FROM n."{name}"' for name in columns)
        cells = ", ".join(f'{side}."{name}" AS {side}_{name}' for side in "nt" for name in columns)
        found = desk.execute(
            f"SELECT n.household_no, t.household_no IS NULL AS new, {cells} FROM {rows_of(now.path)} n"
            f" LEFT JOIN {rows_of(then.path)} t ON t.household_no = n.household_no"
            f" WHERE t.household_no IS NULL OR NOT ({same})"
        )
        names = [column[0] for column in found.description or []]
        while block := found.fetchmany(10_000):
            for row in block:
                told = dict(zip(names, row, strict=True))
                _judge(looked_at[told["household_no"]], told, now, rules)
    for one in looked_at.values():
        if one.doubt_then and not one.result:
            one.result, one.why = CHANGED, "上次比对那天有来源没有答复"
        one.result = one.result or UNCHANGED


_FACTS = ("household_no", "region_code", "urban_rural", "registered")


def _judge(one: Listed, row: Mapping[str, Any], now: Lines, rules: Rules) -> None:
    if row["new"]:
        one.result, one.why = CHANGED, "上次比对那天不在花名册"
        return
    sides = [
        {name[2:]: value for name, value in row.items() if name.startswith(side)} for side in ("t_", "n_")
    ]
    told = changes_between(
        rules,
        line_of(rules, sides[0]),
        line_of(rules, sides[1]),
        said=one.said or {},
        limits=limits_of(rules, sides[1], now.scales),
    )
    if told:
        one.result, one.why = CHANGED, "、".join(told)[:300]
