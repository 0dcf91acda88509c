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
from doudi.engine.screening.running import Progress, open_snapshots, prepare, region_ranges

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
class Mover:
    """A household that gains or loses (得益, 失去); costs in fen a month."""

    household_no: str
    region_code: str
    persons: int
    before: str
    after: str
    cost_before: int
    cost_after: int
    gains: bool


@dataclass(frozen=True)
class Simulation:
    """A what-if over a whole register.

    A gainer is a household whose category rises, or that keeps it and is paid more; a loser the other way
    round. Households that are 待核 on either side are counted apart, and where they are 待核 they cost nothing in
    these sums. ``movers`` are the gainers and losers by number, as many as were asked for.
    """

    changes: Mapping[tuple[str, str], str]
    households: int
    flows: tuple[Flow, ...]
    labels: Mapping[str, str]
    movers: tuple[Mover, ...] = ()

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

    def sums_by_category(self) -> dict[str, dict[str, int]]:
        """Category → households and monthly cost in fen, before and after."""
        rows: dict[str, dict[str, int]] = {}
        for flow in self.flows:
            for code, side in ((flow.before, "before"), (flow.after, "after")):
                row = rows.setdefault(
                    code, {"households_before": 0, "households_after": 0, "cost_before": 0, "cost_after": 0}
                )
                row[f"households_{side}"] += flow.households
                row[f"cost_{side}"] += flow.cost_before if side == "before" else flow.cost_after
        return dict(sorted(rows.items()))

    def sums_by_region(self) -> dict[str, dict[str, int]]:
        """Township → households, gainers, losers, undecided, and monthly cost in fen before and after."""
        rows: dict[str, dict[str, int]] = {}
        for flow in self.flows:
            sums = {
                "households": flow.households,
                "gainers": flow.gainers,
                "losers": flow.losers,
                "undecided": flow.households if UNKNOWN in (flow.before, flow.after) else 0,
                "cost_before": flow.cost_before,
                "cost_after": flow.cost_after,
            }
            row = rows.setdefault(flow.region, dict.fromkeys(sums, 0))
            for key, value in sums.items():
                row[key] += value
        return dict(sorted(rows.items()))

    def by_category(self) -> list[dict[str, Any]]:
        """Households and monthly cost of each category, before and after, in yuan."""
        return [
            {"category": code, "label": self.labels[code], **_in_yuan(row)}
            for code, row in self.sums_by_category().items()
        ]

    def by_region(self) -> list[dict[str, Any]]:
        """Gainers, losers and monthly cost of each township, in yuan."""
        return [{"region": region, **_in_yuan(row)} for region, row in self.sums_by_region().items()]

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
    region: str = "",
    name_up_to: int = 0,
    chunks: int | None = None,
    threads: int = 2,
    memory: str = "2GB",
    on_progress: Progress | None = None,
) -> Simulation:
    """Screen everyone under the pack and under the pack with ``changes``, and compare.

    ``changes`` maps (parameter, region code or '') to a value as it is written, with or without its unit.
    ``region`` narrows the households to a division; ``name_up_to`` is how many gainers and losers are named.
    """
    other = with_parameters(pack, changes)
    flows: dict[tuple[str, str, str], list[int]] = {}
    movers: list[Mover] = []
    with (
        tempfile.TemporaryDirectory(prefix="doudi-simulate-") as spill,
        open_snapshots(pack, snapshots, threads=threads, memory=memory, spill=Path(spill)) as connection,
    ):
        total, ranges = region_ranges(connection, region, chunks)
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
                    " SELECT household_key, household_no, region_code, persons, category, monthly_cost"
                    f" FROM ({query}) WHERE starts_with(region_code, ?)",
                    [region],
                )
                connection.unregister("parameters")
            connection.execute(_COMPARE.format(ranks=ranks))
            for township, before, after, *sums in connection.execute(_FLOWS).fetchall():
                row = flows.setdefault((township, before, after), [0] * 6)
                for i, value in enumerate(sums):
                    row[i] += int(value)
            wanted = name_up_to - len(movers)
            if wanted > 0:
                movers += [Mover(*row) for row in connection.execute(_MOVERS, [wanted]).fetchall()]
            if on_progress is not None:
                on_progress(number + 1, len(ranges))
    codes = {code for _, before, after in flows for code in (before, after)}
    return Simulation(
        changes=dict(changes),
        households=total,
        flows=tuple(Flow(*key, *row) for key, row in sorted(flows.items())),
        labels={code: pack.label(code) for code in codes},
        movers=tuple(movers),
    )


def _ranks(pack: Pack) -> str:
    ranks = {category.code: category.rank for category in reversed(pack.categories)}
    return "MAP {" + ", ".join(f"'{code}': {rank}" for code, rank in ranks.items()) + "}"


_COMPARE = """
CREATE OR REPLACE TEMP TABLE compared AS
SELECT b.household_no, b.region_code, b.persons, b.category AS before, a.category AS after,
       b.monthly_cost AS cost_before, a.monthly_cost AS cost_after,
       known AND (rank_a > rank_b OR (rank_a = rank_b AND a.monthly_cost > b.monthly_cost)) AS gains,
       known AND (rank_a < rank_b OR (rank_a = rank_b AND a.monthly_cost < b.monthly_cost)) AS loses
FROM (SELECT *, {ranks}[category] AS rank_b FROM before) b
JOIN (SELECT *, {ranks}[category] AS rank_a FROM after) a USING (household_key)
CROSS JOIN LATERAL (SELECT rank_a IS NOT NULL AND rank_b IS NOT NULL AS known)
"""
_FLOWS = """
SELECT left(region_code, 9), before, after, count(*), sum(persons), count(*) FILTER (WHERE gains),
       count(*) FILTER (WHERE loses), sum(cost_before), sum(cost_after)
FROM compared GROUP BY ALL
"""
_MOVERS = """
SELECT household_no, region_code, persons, before, after, cost_before, cost_after, gains
FROM compared WHERE gains OR loses ORDER BY region_code, household_no LIMIT ?
"""


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _in_yuan(row: Mapping[str, int]) -> dict[str, Any]:
    return {key: _yuan(value) if key.startswith("cost_") else value for key, value in row.items()}
