# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""Back-test of a warning's threshold: what it would have raised month by month, and the work that makes.

The past is computed again from the files at hand: each month's last day is screened as that day, so the windows of
dated rows (结算日期, 登记日期 …) stand where they stood. What it cannot know: the register and every snapshot feed
are today's — a household that has left since is not there, and a car or a status counts in every month; an event
feed reaches back no further than its files do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doudi.engine.packs import Pack
from doudi.engine.packs.changing import ParameterRefused, with_parameters
from doudi.engine.packs.model import UnknownName
from doudi.engine.packs.relations import parameter_table
from doudi.engine.screening.running import (
    Prepared,
    Progress,
    missing_feeds,
    open_snapshots,
    prepare,
    region_ranges,
)
from doudi.engine.status import Status

if TYPE_CHECKING:
    import duckdb

    from doudi.engine.feeds import SnapshotSet

MAX_MONTHS = 60


class BackTestRefused(ParameterRefused):
    """The indicator cannot be tried at other values as asked."""

    code = "back_test_refused"


@dataclass(frozen=True)
class MonthCount:
    """One township in one month: households raised on its last day, newly raised, and undecided (待核).

    Newly raised is raised now and not the month before. A household that was undecided the month before and is
    raised now is new: that is when the office would have heard of it.
    """

    month: date
    region: str
    raised: int
    new: int
    undecided: int


@dataclass(frozen=True)
class Forecast:
    """The work to expect in a township a month: mean, least and most of its newly raised households."""

    region: str
    mean: float
    least: int
    most: int

    def to_json(self) -> dict[str, Any]:
        return {"region": self.region, "mean": self.mean, "min": self.least, "max": self.most}


@dataclass(frozen=True)
class Trial:
    """One value of the threshold put to the past; ``changes`` is empty for the present one.

    ``new`` names the newly raised households of each month, for whoever knows what became of them.
    """

    changes: Mapping[tuple[str, str], str]
    counts: tuple[MonthCount, ...]
    new: Mapping[date, tuple[str, ...]]

    @property
    def label(self) -> str:
        return written(self.changes)

    @property
    def total(self) -> int:
        return sum(count.new for count in self.counts)

    def by_month(self) -> list[dict[str, Any]]:
        """Raised, newly raised and undecided households of each month."""
        return [
            {
                "month": f"{month:%Y-%m}",
                "as_of": month,
                "raised": sum(count.raised for count in self.counts if count.month == month),
                "new": sum(count.new for count in self.counts if count.month == month),
                "undecided": sum(count.undecided for count in self.counts if count.month == month),
            }
            for month in self.new
        ]

    def by_region(self) -> list[Forecast]:
        """The forecast of each township, by code."""
        found: dict[str, list[int]] = {}
        for count in self.counts:
            found.setdefault(count.region, []).append(count.new)
        return [
            Forecast(region, round(sum(new) / len(new), 1), min(new), max(new))
            for region, new in sorted(found.items())
        ]

    def forecast(self) -> Forecast:
        """The forecast of the whole area."""
        months = [row["new"] for row in self.by_month()]
        return Forecast("", round(sum(months) / len(months), 1), min(months), max(months))

    def to_json(self) -> dict[str, Any]:
        return {
            "changes": [
                {"parameter": name, "region": region, "value": text}
                for (name, region), text in self.changes.items()
            ],
            "total": self.total,
            "forecast": self.forecast().to_json(),
            "months": [
                row
                | {
                    "as_of": row["as_of"].isoformat(),
                    "regions": {c.region: c.new for c in self.counts if c.month == row["as_of"] and c.new},
                }
                for row in self.by_month()
            ],
            "regions": [forecast.to_json() for forecast in self.by_region()],
        }


@dataclass(frozen=True)
class BackTest:
    """A threshold's back-test: the present value first, then each alternative, over the same whole months.

    ``standing`` are the feeds it reads that have no past (taken as they are today); ``missing`` those it needs that
    are not there, which leave households undecided.
    """

    indicator: str
    name: str
    parameters: tuple[str, ...]
    months: tuple[date, ...]
    households: int
    trials: tuple[Trial, ...]
    standing: tuple[str, ...]
    missing: Mapping[str, Status]

    @property
    def present(self) -> Trial:
        return self.trials[0]

    def to_json(self) -> dict[str, Any]:
        return {
            "indicator": self.indicator,
            "name": self.name,
            "parameters": list(self.parameters),
            "months": [f"{month:%Y-%m}" for month in self.months],
            "households": self.households,
            "standing": list(self.standing),
            "missing": {feed: str(status) for feed, status in self.missing.items()},
            "trials": [trial.to_json() for trial in self.trials],
        }


def written(changes: Mapping[tuple[str, str], str]) -> str:
    """Changed numbers as a clerk types them: 城镇低保标准=800@520102."""
    return ", ".join(
        f"{name}={text}{'@' + region if region else ''}" for (name, region), text in changes.items()
    )


def threshold_parameters(pack: Pack, indicator: str) -> tuple[str, ...]:
    """The parameters that an indicator's conditions reach, directly or through variables, in the pack's order."""
    return tuple(_narrowed(pack, indicator).parameters)


def whole_months(as_of: date, count: int) -> list[date]:
    """The last days of the ``count`` latest months that have ended by ``as_of``, oldest first."""
    ends = []
    end = (as_of + timedelta(days=1)).replace(day=1) - timedelta(days=1)
    for _ in range(count):
        ends.append(end)
        end = end.replace(day=1) - timedelta(days=1)
    return ends[::-1]


def back_test(
    pack: Pack,
    snapshots: SnapshotSet,
    *,
    indicator: str,
    alternatives: Sequence[Mapping[tuple[str, str], str]] = (),
    months: int = 12,
    region: str = "",
    chunks: int | None = None,
    threads: int = 2,
    memory: str = "2GB",
    on_progress: Progress | None = None,
) -> BackTest:
    """Put an indicator at its present threshold and at ``alternatives`` to the last whole ``months``.

    Each alternative maps (parameter, region code or '') to a value as it is written, as :func:`simulate` takes it.
    ``region`` narrows the households to a division. Raises :class:`BackTestRefused` where a number to be tried is no
    parameter of the indicator. See the module's words on what today's files can say of the past.
    """
    if not 1 <= months <= MAX_MONTHS:
        raise BackTestRefused(
            f"回测月数应在 1 到 {MAX_MONTHS} 之间, 现为 {months}",
            f"months must be from 1 to {MAX_MONTHS}: {months}",
        )
    narrow = _narrowed(pack, indicator)
    for changes in alternatives:
        _check(narrow, indicator, changes)
    packs = [narrow, *(with_parameters(narrow, changes) for changes in alternatives)]
    before, *ends = whole_months(snapshots.as_of, months + 1)
    tallies = [_Tally(ends) for _ in packs]
    with (
        tempfile.TemporaryDirectory(prefix="doudi-back-test-") as spill,
        open_snapshots(pack, snapshots, threads=threads, memory=memory, spill=Path(spill)) as connection,
    ):
        total, ranges = region_ranges(connection, region, chunks)
        steps = len(ranges) * len(packs) * (months + 1)
        done = 0
        for one, tally in zip(packs, tallies, strict=True):
            days = [prepare(connection, one, replace(snapshots, as_of=end)) for end in (before, *ends)]
            for keys in ranges:
                for prepared in days:
                    _month(connection, prepared, indicator, region, keys)
                    if prepared.compiled.on != before:
                        tally.take(connection, prepared.compiled.on)
                    connection.execute("CREATE OR REPLACE TEMP TABLE before AS SELECT * FROM now")
                    done += 1
                    if on_progress is not None:
                        on_progress(done, steps)
    feeds = _feeds(narrow)
    return BackTest(
        indicator=indicator,
        name=pack.indicators[indicator].name,
        parameters=tuple(narrow.parameters),
        months=tuple(ends),
        households=total,
        trials=tuple(
            tally.trial(changes) for tally, changes in zip(tallies, ({}, *alternatives), strict=True)
        ),
        standing=tuple(feed for feed in pack.feeds if feed in feeds and pack.feeds[feed].kind != "event"),
        missing={feed: why for feed, why in missing_feeds(pack, snapshots).items() if feed in feeds},
    )


class _Tally:
    """The counts of one trial as its ranges come in."""

    def __init__(self, ends: Sequence[date]) -> None:
        self.counts: dict[tuple[date, str], list[int]] = {}
        self.new: dict[date, list[str]] = {end: [] for end in ends}

    def take(self, connection: duckdb.DuckDBPyConnection, end: date) -> None:
        for township, *sums in connection.execute(_COUNT).fetchall():
            row = self.counts.setdefault((end, township), [0, 0, 0])
            for i, value in enumerate(sums):
                row[i] += int(value)
        self.new[end] += [number for (number,) in connection.execute(_NEW).fetchall()]

    def trial(self, changes: Mapping[tuple[str, str], str]) -> Trial:
        counts = tuple(MonthCount(*key, *row) for key, row in sorted(self.counts.items()))
        return Trial(dict(changes), counts, {end: tuple(sorted(found)) for end, found in self.new.items()})


def _month(
    connection: duckdb.DuckDBPyConnection,
    prepared: Prepared,
    indicator: str,
    region: str,
    keys: tuple[int, int],
) -> None:
    """Whether each household of a range is raised on a day: the relation ``now``."""
    connection.register("parameters", parameter_table(prepared.compiled, prepared.pairs))
    query = prepared.compiled.sql("duckdb", select="trace")
    query = query.replace("$lo", str(keys[0])).replace("$hi", str(keys[1]))
    connection.execute(
        f'CREATE OR REPLACE TEMP TABLE now AS SELECT household_key, household_no, region_code, "{indicator}" AS raised'
        f" FROM ({query}) WHERE starts_with(region_code, ?)",
        [region],
    )
    connection.unregister("parameters")


_COUNT = """
SELECT left(n.region_code, 9), count(*) FILTER (WHERE n.raised),
       count(*) FILTER (WHERE n.raised AND NOT coalesce(b.raised, FALSE)), count(*) FILTER (WHERE n.raised IS NULL)
FROM now n JOIN before b USING (household_key) GROUP BY ALL
"""
_NEW = """
SELECT n.household_no FROM now n JOIN before b USING (household_key)
WHERE n.raised AND NOT coalesce(b.raised, FALSE)
"""


def _narrowed(pack: Pack, indicator: str) -> Pack:
    """The pack with nothing but what an indicator reads, so that its query asks for nothing else."""
    if indicator not in pack.indicators:
        known = "、".join(pack.indicators)
        raise UnknownName(
            f"政策包里没有指标“{indicator}”, 可用: {known}", f"no indicator {indicator!r}; known: {known}"
        )
    needed: set[str] = set()

    def visit(item: str) -> None:
        if item not in needed:
            needed.add(item)
            for other in pack.dependencies(item):
                visit(other)

    visit(indicator)
    variables = {name: replace(one, shown={}) for name, one in pack.variables.items() if name in needed}
    indicators = {
        code: replace(one, who=None, value=None) for code, one in pack.indicators.items() if code in needed
    }
    parts = [part for one in variables.values() for part in one.parts()]
    parts += [part for one in indicators.values() for part in one.levels.values()]
    used = set().union(*(part.parameters() for part in parts))
    return replace(
        pack,
        variables=variables,
        indicators=indicators,
        parameters={name: one for name, one in pack.parameters.items() if name in used},
        categories=(),
        merge_rules=(),
        measures={},
        figures={},
        cases=(),
        labels=(),
    )


def _feeds(narrow: Pack) -> set[str]:
    parts = [part for one in narrow.variables.values() for part in one.parts()]
    parts += [part for one in narrow.indicators.values() for part in one.levels.values()]
    return set().union(*(part.feeds() for part in parts))


def _check(narrow: Pack, indicator: str, changes: Mapping[tuple[str, str], str]) -> None:
    """Refuse a change that this indicator would not notice, and say what it does read."""
    rule = narrow.indicators[indicator]
    formulas = "; ".join(rule.formulas.values())
    for name, _region in changes:
        bare = name[2:] if name[:2] in ("城镇", "农村") else name
        if name in narrow.parameters or bare in narrow.parameters:
            continue
        if not narrow.parameters:
            raise BackTestRefused(
                f"指标 {indicator}“{rule.name}”没有用到参数, 它的数写在公式里({formulas}), 不能换值回测;"
                " 请先在政策包里把这个数改成参数",
                f"indicator {indicator} reads no parameter: its numbers stand in its formula ({formulas});"
                " make them parameters of the pack first",
            )
        used = "、".join(narrow.parameters)
        raise BackTestRefused(
            f"指标 {indicator}“{rule.name}”没有用到“{name}”, 换它的值不会改变预警; 它用到的参数: {used}。"
            f"写在公式里的数({formulas})不能回测, 请先在政策包里改成参数",
            f"indicator {indicator} does not read {name!r}; the parameters it reads: {used}."
            f" A number inside its formula ({formulas}) must become a parameter first",
        )


__all__ = [
    "BackTest", "BackTestRefused", "Forecast", "MonthCount", "Trial", "back_test", "threshold_parameters",
    "whole_months", "written",
]  # fmt: skip
