# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""What if: the same households under other numbers — who gains, who loses, what it costs a month.

Nothing is kept: both sides are run range by range in one session and compared there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doudi.engine.packs import Pack
from doudi.engine.packs.changing import with_parameters
from doudi.engine.packs.model import UNKNOWN
from doudi.engine.packs.relations import parameter_table
from doudi.engine.packs.units import show_money
from doudi.engine.screening.running import Progress, household_ranges, open_snapshots, prepare

if TYPE_CHECKING:
    from doudi.engine.feeds import SnapshotSet


@dataclass(frozen=True)
class Flow:
    """Households of one township that stood in ``before`` and would stand in ``after``; costs in fen a month."""

    region: str
    before: str
    after: str
    households: int
    persons: int
    gainers: int
    losers: int
    cost_before: int
    cost_after: int

    def to_json(self) -> dict[str, Any]:
        return {
            "region": self.region,
            "before": self.before,
            "after": self.after,
            "households": self.households,
            "persons": self.persons,
            "gainers": self.gainers,
            "losers": self.losers,
            "cost_before": _yuan(self.cost_before),
            "cost_after": _yuan(self.cost_after),
        }


@dataclass(frozen=True)
class Simulation:
    """A what-if over a whole register.

    A gainer is a household whose category rises, or that keeps it and is paid more; a loser the other way
    round. Households that are 待核 on either side are counted apart.
    """

    changes: Mapping[tuple[str, str], str]
    households: int
    flows: tuple[Flow, ...]
    labels: Mapping[str, str]

    @property
    def gainers(self) -> int:
        return sum(flow.gainers for flow in self.flows)

    @property
    def losers(self) -> int:
        return sum(flow.losers for flow in self.flows)

    @property
    def undecided(self) -> int:
        return sum(flow.households for flow in self.flows if UNKNOWN in (flow.before, flow.after))

    @property
    def cost_before(self) -> int:
        return sum(flow.cost_before for flow in self.flows)

    @property
    def cost_after(self) -> int:
        return sum(flow.cost_after for flow in self.flows)

    def by_category(self) -> list[dict[str, Any]]:
        """Households and monthly cost of each category, before and after."""
        rows: dict[str, dict[str, Any]] = {}
        for flow in self.flows:
            for code, side in ((flow.before, "before"), (flow.after, "after")):
                row = rows.setdefault(
                    code, {"households_before": 0, "households_after": 0, "cost_before": 0, "cost_after": 0}
                )
                row[f"households_{side}"] += flow.households
                row[f"cost_{side}"] += flow.cost_before if side == "before" else flow.cost_after
        return [
            {
                "category": code,
                "label": self.labels[code],
                **row,
                "cost_before": _yuan(row["cost_before"]),
                "cost_after": _yuan(row["cost_after"]),
            }
            for code, row in sorted(rows.items())
        ]

    def by_region(self) -> list[dict[str, Any]]:
        """Gainers, losers and monthly cost of each township."""
        rows: dict[str, list[int]] = {}
        for flow in self.flows:
            row = rows.setdefault(flow.region, [0, 0, 0, 0, 0])
            sums = (flow.households, flow.gainers, flow.losers, flow.cost_before, flow.cost_after)
            for i, value in enumerate(sums):
                row[i] += value
        return [
            {
                "region": region,
                "households": row[0],
                "gainers": row[1],
                "losers": row[2],
                "cost_before": _yuan(row[3]),
                "cost_after": _yuan(row[4]),
            }
            for region, row in sorted(rows.items())
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "changes": [
                {"parameter": name, "region": region, "value": text}
                for (name, region), text in self.changes.items()
            ],
            "households": self.households,
            "gainers": self.gainers,
            "losers": self.losers,
            "undecided": self.undecided,
            "cost_before": _yuan(self.cost_before),
            "cost_after": _yuan(self.cost_after),
            "by_category": self.by_category(),
            "by_region": self.by_region(),
            "flows": [flow.to_json() for flow in self.flows],
        }

    def __str__(self) -> str:
        listed = ", ".join(f"{name}{'@' + r if r else ''}={text}" for (name, r), text in self.changes.items())
        more = self.cost_after - self.cost_before
        lines = [
            f"测算 {listed}: 共 {self.households} 户, 得益 {self.gainers} 户, 失去 {self.losers} 户,"
            f" 待核 {self.undecided} 户",
            f"每月支出 {show_money(self.cost_before)}元 → {show_money(self.cost_after)}元"
            f" ({'+' if more >= 0 else ''}{show_money(more)}元)",
        ]
        lines += [
            f"  {row['label']}: {row['households_before']} → {row['households_after']} 户,"
            f" {row['cost_before']} → {row['cost_after']} 元/月"
            for row in self.by_category()
        ]
        return "\n".join(lines)


def simulate(
    pack: Pack,
    snapshots: SnapshotSet,
    *,
    changes: Mapping[tuple[str, str], str],
    chunks: int | None = None,
    threads: int = 2,
    memory: str = "2GB",
    on_progress: Progress | None = None,
) -> Simulation:
    """Screen everyone under the pack and under the pack with ``changes``, and compare.

    ``changes`` maps (parameter, region code or '') to a value as it is written, with or without its unit.
    """
    other = with_parameters(pack, changes)
    flows: dict[tuple[str, str, str], list[int]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="doudi-simulate-") as spill,
        open_snapshots(pack, snapshots, threads=threads, memory=memory, spill=Path(spill)) as connection,
    ):
        total = int(connection.execute("SELECT count(*) FROM households").fetchall()[0][0])
        ranges = household_ranges(total, chunks)
        sides = {
            "before": prepare(connection, pack, snapshots),
            "after": prepare(connection, other, snapshots),
        }
        ranks = _ranks(pack)
        for number, (low, high) in enumerate(ranges):
            for side, prepared in sides.items():
                connection.register("parameters", parameter_table(prepared.compiled, prepared.pairs))
                query = prepared.compiled.sql("duckdb").replace("$lo", str(low)).replace("$hi", str(high))
                connection.execute(
                    f"CREATE OR REPLACE TEMP TABLE {side} AS"
                    f" SELECT household_key, region_code, persons, category, monthly_cost FROM ({query})"
                )
                connection.unregister("parameters")
            for region, before, after, *sums in connection.execute(_COMPARE.format(ranks=ranks)).fetchall():
                row = flows.setdefault((region, before, after), [0] * 6)
                for i, value in enumerate(sums):
                    row[i] += int(value)
            if on_progress is not None:
                on_progress(number + 1, len(ranges))
    codes = {code for _, before, after in flows for code in (before, after)}
    return Simulation(
        changes=dict(changes),
        households=total,
        flows=tuple(Flow(*key, *row) for key, row in sorted(flows.items())),
        labels={code: pack.label(code) for code in codes},
    )


def _ranks(pack: Pack) -> str:
    ranks = {category.code: category.rank for category in reversed(pack.categories)}
    return "MAP {" + ", ".join(f"'{code}': {rank}" for code, rank in ranks.items()) + "}"


_COMPARE = """
SELECT left(b.region_code, 9) AS region, b.category, a.category, count(*), sum(b.persons),
       count(*) FILTER (WHERE known AND (rank_a > rank_b OR (rank_a = rank_b AND a.monthly_cost > b.monthly_cost))),
       count(*) FILTER (WHERE known AND (rank_a < rank_b OR (rank_a = rank_b AND a.monthly_cost < b.monthly_cost))),
       sum(b.monthly_cost), sum(a.monthly_cost)
FROM (SELECT *, {ranks}[category] AS rank_b FROM before) b
JOIN (SELECT *, {ranks}[category] AS rank_a FROM after) a USING (household_key)
CROSS JOIN LATERAL (SELECT rank_a IS NOT NULL AND rank_b IS NOT NULL AS known)
GROUP BY ALL
"""


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
