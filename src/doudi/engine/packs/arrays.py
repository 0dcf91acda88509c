# ruff: noqa: S608 - SQL is put together here from checked names only
"""The same screen in steps, between which keys become places in arrays, so that nothing is joined.

Keys of households and of persons are dense and stand in order: the k-th key of a range has the k-th place. What a feed
knows of a person is put at their place, and what twenty hash tables would be asked for lies side by side. Every value is
computed by the formulas of the one query, word for word; only its joins are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from doudi.engine.packs.feed_sums import BASE
from doudi.engine.packs.lowering import FeedPlan, name
from doudi.engine.packs.members import CUT, Joined, MemberRelations, query
from doudi.engine.packs.terms import HOUSEHOLD

PLACED = "placed"
"""The relation that whoever runs the steps lays out for the next of them."""
_FACTS = ("household_key", "household_no", "region_code", "urban_rural", "category", "persons")


@dataclass(frozen=True)
class Gathered:
    """A step over persons: those with rows in one of ``present`` (none named: everybody), with what ``feeds`` know.

    ``parameters`` are columns of the households that stand beside their members.
    """

    sql: str
    present: tuple[str, ...]
    feeds: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class OfRows:
    """A feed that households sum by what their members are: its rows, what is ``asked`` of each one's member, the sums."""

    rows: str
    asked: tuple[str, ...]
    sums: str


@dataclass(frozen=True)
class ArrayPlan:
    """The steps of a screen; each text reads household keys from ``$lo`` to below ``$hi``.

    ``households`` and ``members`` are asked for the register in the order of its keys; ``feeds`` for the persons with
    rows in a feed (the first column is their key). ``everybody`` computes from the members what all later steps ask of
    them; ``sums``, ``groups``, ``of_rows`` and ``of_households`` (which asks no member anything) give columns by household
    key, which is the first. ``result`` gives the rows of the result in the order of the households laid out for it, and
    reads nothing else where it is ``alone``.
    """

    households: str
    members: str
    feeds: Mapping[str, str]
    everybody: Gathered | None
    sums: str | None
    groups: tuple[Gathered, ...]
    of_rows: tuple[OfRows, ...]
    of_households: tuple[str, ...]
    result: str
    alone: bool


class ArrayRelations(MemberRelations):
    """Writes the steps."""

    def _arrays(self, clauses: Mapping[str, str]) -> ArrayPlan:
        laid = f"SELECT * FROM {PLACED}"
        steps = dict(clauses)

        def step(table: str, **instead: str) -> str:
            return query(table, {**steps, **instead})

        result = step("result", h0=laid)
        alone = " JOIN " not in result
        joined = [self.base, *self.groups] if self.base is not None else []
        beside = dict.fromkeys(column for one in joined for column in one.parameters)
        named = [*self.pack.parameters, *(f"{p}{CUT}" for p in sorted(self.cut_parameters))]
        facts = [*_FACTS, *(p for p in named if p in beside or name(p) in result)]
        steps["facts"] = f"SELECT {', '.join(map(name, facts))} FROM hp"
        register = ", ".join(map(name, ("household_key", "person_key", *self.register_read)))
        plans = {
            feed: plan for (owner, feed), plan in self.plans.items() if owner == HOUSEHOLD and plan.columns
        }
        asking = {f: p for f, p in plans.items() if any(agg.member is not None for agg in p.columns)}
        for feed, plan in asking.items():
            steps[f"fm_{feed}"] = self._feed_by_household(plan, f"{PLACED} f", "f.")
        return ArrayPlan(
            households=step("facts"),
            members=f"SELECT {register} FROM members WHERE {self._range()}",
            feeds={
                feed: step(f"fp_{feed}") for feed in sorted({feed for one in joined for feed in one.feeds})
            },
            everybody=_gathered(step(BASE, c0=laid), self.base, ()) if self.base is not None else None,
            sums=step("g", c=laid) if "g" in steps else None,
            groups=tuple(
                _gathered(step(one.table, **{f"{one.table}_0": laid}), one, sorted(one.present))
                for one in self.groups
            ),
            of_rows=tuple(self._of_rows(feed, plan, step(f"fm_{feed}")) for feed, plan in asking.items()),
            of_households=tuple(step(f"fh_{feed}") for feed in plans if feed not in asking),
            # rows that are only computed on stay in the order in which they were laid out; joined ones need not
            result=result if alone else f"{result} ORDER BY household_key",
            alone=alone,
        )

    def _of_rows(self, feed: str, plan: FeedPlan, sums: str) -> OfRows:
        members = [agg.member for agg in plan.columns if agg.member is not None]
        asked = {item for part in members for item in part.variables()}
        columns = ", ".join(map(name, ("household_key", "person_key", *_cells(plan))))
        return OfRows(f"SELECT {columns} FROM feed_{feed} WHERE {self._range()}", tuple(sorted(asked)), sums)


def _cells(plan: FeedPlan) -> list[str]:
    """The columns of the feed's own rows that its aggregates read."""
    parts = [
        part for agg in plan.columns for part in (agg.value, agg.by, agg.where, agg.other) if part is not None
    ]
    return list(dict.fromkeys(node.data[1] for part in parts for node in part.walk() if node.op == "col"))


def _gathered(sql: str, joined: Joined, present: Iterable[str]) -> Gathered:
    return Gathered(sql, tuple(present), tuple(sorted(joined.feeds)), tuple(joined.parameters))


__all__ = ["PLACED", "ArrayPlan", "ArrayRelations", "Gathered", "OfRows"]
